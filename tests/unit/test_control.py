"""The control channel: who is let in, what is answered, and what is left behind."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import fake_engine
import hotswap
from fake_engine import FakeEngine
from waiting import wait_for

if not hasattr(socket, "AF_UNIX"):
    pytest.skip("there are no Unix sockets here", allow_module_level=True)

from hotswap import _control, _loop

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture(autouse=True)
def own_directory(runtime: Path) -> None:
    """No test meets the sockets of the machine."""


class Asker:
    """The other end of the channel."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        self.connection = connection
        self.file = connection.makefile("rwb")

    def ask(self, **request: Any) -> dict[str, Any]:
        self.file.write(json.dumps(request).encode() + b"\n")
        self.file.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        line = self.file.readline()
        assert line, "the other end has closed the connection"
        return json.loads(line)

    def ended(self) -> bool:
        return self.file.readline() == b""


def path_of_socket() -> str:
    wait_for(lambda: _loop.current is not None and _loop.current._server is not None)
    assert _loop.current is not None and _loop.current._server is not None
    server = _loop.current._server
    wait_for(lambda: server.path or server.reason)
    assert server.path, server.reason
    return server.path


def connect() -> Asker:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path_of_socket())
    return Asker(connection)


def test_only_the_user_can_come_near_the_socket(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    path = path_of_socket()
    assert os.path.basename(path) == f"{os.getpid()}.sock"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def test_commands(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    asker = connect()
    status = asker.ask(command="status", id=7)
    assert status["ok"] and status["id"] == 7
    assert status["status"]["pid"] == os.getpid() and status["status"]["watched"] == {"files": 1}
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.history)
    assert [entry["report"]["generation"] for entry in asker.ask(command="log")["log"]] == [1]
    assert asker.ask(command="log", last=0)["log"] == []
    assert asker.ask(command="diff")["diff"] == "0..1"
    assert asker.ask(command="diff", **{"from": 0, "to": 0})["diff"] == "0..0"
    assert asker.ask(command="rollback")["report"]["generation"] == 1
    assert engines[0].rolled_back == [0]
    asker.ask(command="sync")
    assert asker.ask(command="sync")["report"]["status"] == "unchanged"


def test_rollback_of_nothing_is_refused(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    answer = connect().ask(command="rollback")
    assert (answer["ok"], answer["kind"]) == (False, "RollbackError")
    assert "nothing was updated yet" in answer["error"]


def test_pause_stands_beside_the_programs_own(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    asker = connect()
    assert asker.ask(command="pause") == {"ok": True, "paused": True}
    session.pause()
    assert asker.ask(command="resume") == {"ok": True, "paused": True}
    session.resume()
    assert not engines[0].paused
    assert asker.ask(command="pause")["paused"]
    session.resume()
    assert engines[0].paused
    assert asker.ask(command="resume") == {"ok": True, "paused": False}


def test_reports_are_followed(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    asker = connect()
    assert asker.ask(follow=True)["ok"]
    engines[0].save(fake_engine.report(generation=1))
    assert asker.read()["report"]["generation"] == 1
    # Other requests are answered in between.
    assert asker.ask(command="pause")["paused"]
    asker.ask(command="resume")
    engines[0].save(fake_engine.report("rejected", generation=1))
    assert asker.read()["report"]["status"] == "rejected"
    hotswap.stop()
    assert asker.read() == {"stopped": True}
    assert asker.ended()
    # The thread that served it may still be at its end.
    wait_for(lambda: not _loop.followers)


def test_follower_that_does_not_read_stops_nothing(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    assert connect().ask(follow=True)["ok"]
    long = fake_engine.report(files=["/" + "x" * 100_000])
    for _ in range(20):
        engines[0].save(long)
    wait_for(lambda: len(session.history) == 20)
    session.stop()


def test_follower_that_goes_away_is_forgotten(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    asker = connect()
    asker.ask(follow=True)
    asker.file.close()
    asker.connection.close()
    wait_for(lambda: not _loop.followers and not _control._connections)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"nonsense", "Expecting value"),
        (b"[1]", "a request is a JSON object"),
        (b"{}", "there is no command None; there are diff, log,"),
        (b'{"command": "fly"}', "there is no command 'fly'"),
        (b'{"command": "diff", "from": "x"}', "from='x': expected a whole number of at least 0"),
        (b'{"command": "rollback", "to": -1}', "to=-1: expected a whole number"),
        (b"[" * 100_000, ""),
    ],
)
def test_bad_requests_are_answered(
    line: bytes, words: str, engines: list[FakeEngine], tmp_path: Path
) -> None:
    hotswap.watch(tmp_path)
    asker = connect()
    asker.file.write(line + b"\n")
    asker.file.flush()
    answer = asker.read()
    assert not answer["ok"] and words in answer["error"]
    assert asker.ask(command="status")["ok"]


def test_endless_line_ends_the_connection(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    asker = connect()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(100):
            asker.connection.sendall(b"x" * 100_000)


def test_nothing_is_left_after_stop(engines: list[FakeEngine], tmp_path: Path, runtime: Path) -> None:
    session = hotswap.watch(tmp_path)
    asker = connect()
    asker.ask(command="status")
    session.stop()
    assert asker.read() == {"stopped": True}
    assert os.listdir(runtime / "hotswap") == []
    wait_for(lambda: not [thread for thread in threading.enumerate() if "hotswap" in thread.name])
    assert not _control._servers and not _control._connections


def test_sockets_of_dead_processes_are_cleared(
    engines: list[FakeEngine], tmp_path: Path, runtime: Path
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (runtime / "hotswap").mkdir(0o700)
    for name in (f"{ended.pid}.sock", f"{os.getpid()}.sock"):
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(runtime / "hotswap" / name))
        stale.close()
    (runtime / "hotswap" / "letter.txt").touch()
    hotswap.watch(tmp_path)
    assert connect().ask(command="status")["ok"]
    assert sorted(os.listdir(runtime / "hotswap")) == [f"{os.getpid()}.sock", "letter.txt"]


def test_name_that_is_taken_in_another_container_stays(
    engines: list[FakeEngine], tmp_path: Path, runtime: Path
) -> None:
    (runtime / "hotswap").mkdir(0o700)
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(runtime / "hotswap" / f"{os.getpid()}.sock"))
    other.listen()
    hotswap.watch(tmp_path)
    assert path_of_socket().endswith(f"{os.getpid()}.1.sock")
    hotswap.stop()
    assert os.listdir(runtime / "hotswap") == [f"{os.getpid()}.sock"]
    other.close()


@pytest.mark.parametrize(
    "variable", ["HOTSWAP_CONTROL=off", "HOTSWAP_NO_ATTACH=1", "PYTHON_DISABLE_REMOTE_DEBUG=1"]
)
def test_channel_can_be_forbidden(
    variable: str,
    engines: list[FakeEngine],
    tmp_path: Path,
    runtime: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name, _, value = variable.partition("=")
    monkeypatch.setenv(name, value)
    (tmp_path / "mod.py").touch()
    session = hotswap.watch(tmp_path)
    wait_for(lambda: "channel" in session.status() and session.status()["channel"]["reason"])
    assert (
        name in session.status()["channel"]["reason"]
        or "control = false" in session.status()["channel"]["reason"]
    )
    assert not (runtime / "hotswap").exists()
    assert not caplog.records


def link_to_another_place(folder: Path) -> None:
    (folder.parent / "place").mkdir(0o700)
    folder.symlink_to(folder.parent / "place")


def open_to_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)


def of_somebody_else(folder: Path) -> None:
    folder.mkdir(0o700)
    os.chown(folder, 65534, -1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (link_to_another_place, "is no directory"),
        (open_to_others, "is open to other users"),
        pytest.param(of_somebody_else, "belongs to user 65534", marks=ROOT),
    ],
)
def test_directory_that_others_prepared_is_not_used(
    make: Any, words: str, engines: list[FakeEngine], tmp_path: Path, runtime: Path
) -> None:
    make(runtime / "hotswap")
    session = hotswap.watch(tmp_path)
    wait_for(lambda: session.status()["channel"]["reason"])
    assert words in session.status()["channel"]["reason"]
    assert os.listdir(runtime / "hotswap") == []


@ROOT
def test_another_user_is_not_let_in(engines: list[FakeEngine], tmp_path: Path, runtime: Path) -> None:
    hotswap.watch(tmp_path)
    path = path_of_socket()
    code = (
        "import os, socket, sys; os.setuid(65534); c = socket.socket(socket.AF_UNIX)\n"
        "try: c.connect(sys.argv[1])\n"
        "except PermissionError: print('outside')\n"
        "else: print('asked', c.recv(1))\n"
    )

    def as_nobody() -> str:
        command = [sys.executable, "-S", "-c", code, path]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert as_nobody() == "outside"
    # Were the directory and the socket open, the peer would still be known.
    for place in (runtime, runtime / "hotswap", Path(path)):
        place.chmod(0o777)
    assert as_nobody() == "asked b''"


def test_requests_raise_an_audit_event(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    heard: list[tuple[Any, ...]] = []
    refusing = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "hotswap.control" and refusing:
            heard.append(arguments)
            if arguments[0] == "pause":
                raise PermissionError("not here")

    sys.addaudithook(hook)
    asker = connect()
    assert asker.ask(command="status")["ok"]
    answer = asker.ask(command="pause")
    refusing = False
    assert answer["error"] == "an audit hook of the process refuses: not here"
    assert heard == [("status", os.getpid(), os.geteuid()), ("pause", os.getpid(), os.geteuid())]
    assert not engines[0].paused


def test_one_function_serves_any_connection(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    ours, theirs = socket.socketpair()

    def wave(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("badly"):
            raise hotswap.HotswapError("no")
        return {"waved": request["at"]}

    thread = threading.Thread(target=_control.serve, args=(theirs, {"wave": wave}))
    thread.start()
    asker = Asker(ours)
    assert asker.ask(command="wave", at="you") == {"ok": True, "waved": "you"}
    assert asker.ask(command="wave", badly=True) == {"ok": False, "error": "no", "kind": "HotswapError"}
    assert asker.ask(command="status")["ok"]
    hotswap.stop()
    # The attachment outlives what it watched, and can say so.
    assert asker.ask(command="status")["kind"] == "NotWatchingError"
    asker.file.close()
    ours.close()
    thread.join(10)
    assert not thread.is_alive()


@ROOT
def test_root_does_not_watch_what_everybody_writes(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(
        hotswap.WatchError, match="can be written by every user, and this process runs as root"
    ):
        hotswap.watch(tmp_path)
    monkeypatch.setenv("HOTSWAP_ALLOW_WORLD_WRITABLE", "1")
    hotswap.watch(tmp_path)
