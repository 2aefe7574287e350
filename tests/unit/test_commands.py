"""`hotswap status` and its like: what is printed, and what a refusal says. The process asks itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fake_engine
import hotswap
from fake_engine import FakeEngine
from hotswap import Report, cli
from waiting import wait_for

if not hasattr(socket, "AF_UNIX"):
    pytest.skip("there are no Unix sockets here", allow_module_level=True)

from hotswap import _client, _control, _family, _loop

Say = Callable[..., str]


@pytest.fixture(autouse=True)
def own_directory(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the processes of the machine."""
    monkeypatch.setattr(_control, "places", lambda uid: [str(runtime / "hotswap")])


@pytest.fixture
def watched(engines: list[FakeEngine], tmp_path: Path) -> hotswap.Session:
    """This process watches and can be asked."""
    session = hotswap.watch(tmp_path)
    wait_for(lambda: _loop.current and _loop.current._server and _loop.current._server.path)
    return session


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command, which must end with this code; what it printed."""

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert cli.main(words) == code, capsys.readouterr()
        printed = capsys.readouterr()
        return printed.err if code else printed.out

    return run


@pytest.fixture
def neighbour(runtime: Path) -> Iterator[Callable[[int, dict[str, Any]], None]]:
    """Puts another process's socket beside ours; it gives one answer to everything."""
    listeners = []

    def make(pid: int, answer: dict[str, Any]) -> None:
        (runtime / "hotswap").mkdir(0o700, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(runtime / "hotswap" / f"{pid}.sock"))
        listener.listen()
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if answer and connection.recv(1000):
                        connection.sendall(json.dumps(answer).encode() + b"\n")

        threading.Thread(target=serve, daemon=True).start()

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def changes(name: str) -> list[dict[str, Any]]:
    return [{"qualname": name, "module": "shop.cart", "action": "patched"}]


def test_status(watched: hotswap.Session, say: Say) -> None:
    printed = say("status")
    assert printed.startswith(f"{os.getpid()}  ")
    assert "generation 0" in printed
    value = json.loads(say("status", str(os.getpid()), "--json"))
    assert [process["pid"] for process in value["processes"]] == [os.getpid()]


def test_log_and_history(watched: hotswap.Session, engines: list[FakeEngine], say: Say) -> None:
    assert say("log") == ""
    assert "no update yet" in say("history")
    engines[0].save(fake_engine.report(generation=1, changes=changes("Cart.total")))
    error = {"type": "SyntaxError", "message": "'(' was never closed", "file": "/shop/cart.py", "line": 41}
    engines[0].save(fake_engine.report("rejected", generation=1, error=error))
    engines[0].save(fake_engine.report(generation=2, changes=changes("Cart.tax")))
    wait_for(lambda: len(watched.history) == 3)
    lines = say("log").splitlines()
    assert [line.split("  ", 2)[1] for line in lines] == ["hotswap #1", "hotswap rejected", "hotswap #2"]
    assert "patched Cart.tax   1.8 ms" in say("log", "--last", "1")
    (entry,) = map(json.loads, say("log", "--last=1", "--json").splitlines())
    assert (entry["generation"], entry["processes"][0]["pid"]) == (2, os.getpid())
    first, second = say("history").splitlines()[:2]
    assert first.startswith("  #1 ") and "patched Cart.total" in first
    assert second.startswith("* #2 ") and "patched Cart.tax" in second
    assert len(json.loads(say("history", "--json"))["processes"][0]["log"]) == 3


def test_follow(watched: hotswap.Session, engines: list[FakeEngine], say: Say) -> None:
    def edit() -> None:
        wait_for(lambda: _loop.followers)
        engines[0].save(fake_engine.report(generation=1, changes=changes("Cart.total")))
        wait_for(lambda: watched.history)
        watched.stop()

    editor = threading.Thread(target=edit)
    editor.start()
    assert "patched Cart.total" in say("log", "--follow")
    editor.join()


def test_diff_and_rollback(watched: hotswap.Session, engines: list[FakeEngine], say: Say) -> None:
    engines[0].save(fake_engine.report(generation=1))
    engines[0].save(fake_engine.report(generation=2))
    wait_for(lambda: len(watched.history) == 2)
    assert say("diff") == "1..2"
    assert say("diff", "--from", "0", "--to", "2") == "0..2"
    assert json.loads(say("diff", "--json"))["diff"] == "1..2"
    assert "hotswap #1" in say("rollback", "--to", "0")
    assert json.loads(say("rollback", "--json"))["refused"] == []


def test_pause_and_resume(watched: hotswap.Session, engines: list[FakeEngine], say: Say) -> None:
    assert say("pause") == f"{os.getpid()}  paused\n"
    assert engines[0].paused and "paused" in say("status")
    assert say("resume") == f"{os.getpid()}  resumed\n"
    watched.pause()
    assert json.loads(say("pause", "--json"))["processes"] == [{"pid": os.getpid(), "paused": True}]
    assert "still paused: the program itself called pause()" in say("resume")


# ----------------------------------------------------------------------------------------- refusals


def test_nobody_watches(say: Say) -> None:
    assert say("status", code=1) == (
        "hotswap: no process of this user watches. Start a program with `hotswap run`, "
        "or call hotswap.watch() in it\n"
    )


def test_directory_that_is_not_trusted_is_named(say: Say, runtime: Path) -> None:
    (runtime / "hotswap").mkdir()
    (runtime / "hotswap").chmod(0o777)
    assert "is open to other users; remove it" in say("status", code=1)


def test_no_such_process(say: Say) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert say("status", str(ended.pid), code=1) == f"hotswap: there is no process {ended.pid}\n"


def test_process_that_does_not_watch(say: Say) -> None:
    printed = say("pause", str(os.getpid()), code=1)
    assert f"process {os.getpid()} cannot be asked: it does not run hotswap, or it forbids this" in printed


def test_several_programs_are_listed(
    watched: hotswap.Session, say: Say, neighbour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.getppid()
    monkeypatch.setattr(_client, "_parent_of", lambda pid: 0)
    monkeypatch.setattr(os, "getppid", lambda: 0)
    status = {"pid": other, "command": ["python", "other app.py"], "generation": 4, "paused": False}
    neighbour(other, {"ok": True, "status": status})
    printed = say("status", code=1)
    assert printed.startswith("hotswap: there are several programs; name one of these processes:\n")
    assert f"  {other}  python 'other app.py'\n" in printed and f"  {os.getpid()}  " in printed
    assert "generation 4" in say("status", str(other))


def test_process_that_does_not_answer(
    say: Say, neighbour: Any, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_client, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(_client, "SECONDS", 0.2)
    (runtime / "hotswap").mkdir(0o700)
    mute = socket.socket(socket.AF_UNIX)
    mute.bind(str(runtime / "hotswap" / f"{os.getpid()}.sock"))
    mute.listen()
    assert "does not answer: it is stopped, or code in C holds its GIL" in say("status")
    monkeypatch.setattr(_client.Channel.ask, "__defaults__", (0.2,))
    monkeypatch.setattr(_client.Channel.connect, "__defaults__", (0.2,))
    assert f"process {os.getpid()} does not answer" in say("pause", code=1)
    mute.close()


def test_refusal_of_the_process_is_passed_on(watched: hotswap.Session, say: Say) -> None:
    assert f"process {os.getpid()}: nothing was updated yet" in say("rollback", code=1)


@pytest.mark.skipif(os.geteuid() == 0 or not os.path.exists("/proc/1/status"), reason="root may ask anybody")
def test_process_of_another_user(say: Say) -> None:
    assert "process 1 belongs to user root: ask as that user, or as root" in say("status", "1", code=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_process_of_another_user_as_nobody(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert "process 1 belongs to user root: ask as that user, or as root" in say("status", "1", code=1)


def test_bad_words(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["status", "app.py"], ["rollback", "--to", "-1"], ["log", "--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 2
    assert "expected a number, not 'app.py'" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------- families


def report(status: str = "applied", total: float = 1.0, **more: Any) -> Report:
    value = fake_engine.report(status, changes=changes("Cart.total"), duration_ms={"total": total}, **more)
    return Report.from_dict(value)


ERROR = {"type": "NameError", "message": "name 'x' is not defined", "file": "/shop/cart.py", "line": 4}


def test_one_line_for_a_family_with_the_slowest() -> None:
    (edit,) = _family.gather(
        [(11, 5.0, report(total=2.9)), (10, 5.1, report()), (12, 5.2, report(total=0.4))]
    )
    assert _family.line_of(edit).endswith("patched Cart.total   2.9 ms (slowest of 3 processes)")


def test_who_refused_is_named() -> None:
    edit = [
        (10, 5.0, report()),
        (11, 5.0, report(total=3.0)),
        (12, 5.0, report("rejected", 9.0, error=ERROR)),
    ]
    assert _family.line_of(edit) == (
        "hotswap #1  /project/shop/cart.py  patched Cart.total   3.0 ms (slowest of 2 processes); in 12: "
        "rejected  /shop/cart.py:4  NameError: name 'x' is not defined; generation 1 keeps running"
    )
    assert _family.level_of_edit(edit) == 40
    refused = _family.to_dict(edit)["processes"][2]
    assert (refused["pid"], refused["status"], refused["error"]["type"]) == (12, "rejected", "NameError")


def test_all_refused() -> None:
    edit = [(pid, 5.0, report("rejected", error=ERROR)) for pid in (10, 11)]
    assert _family.line_of(edit).endswith("generation 1 keeps running (in 2 processes)")


def test_edits_are_told_apart() -> None:
    outcomes = [
        (10, 1.0, report()),
        (11, 1.1, report()),
        (10, 1.2, report()),  # the same process again: another edit
        (11, 1.3, report()),
        (12, 1.3, report(files=["/project/shop/other.py"])),
        (10, 9.0, report()),
    ]
    assert [[pid for pid, _, _ in edit] for edit in _family.gather(outcomes)] == [
        [10, 11],
        [10, 11],
        [12],
        [10],
    ]


@pytest.mark.parametrize(
    ("parents", "marks", "families"),
    [
        ({10: 1}, {10: 10}, [[10]]),
        ({10: 1, 20: 1}, {10: 10, 20: 20}, [[10], [20]]),
        # A fork keeps the mark; a spawned worker has its own, and an ancestor.
        ({10: 1, 11: 10, 12: 10}, {10: 10, 11: 10, 12: 12}, [[10, 11, 12]]),
        # Between them a process that does not watch.
        ({10: 1, 5: 10, 3: 5}, {10: 10, 3: 3}, [[10, 3]]),
        # The first has ended: its forks are still one family.
        ({11: 1, 12: 1}, {11: 10, 12: 10}, [[11, 12]]),
    ],
)
def test_families(parents: dict[int, int], marks: dict[int, int], families: list[list[int]]) -> None:
    assert _family.families(parents, marks) == families
