"""The lines of a program with workers: who tells whom, and who writes."""

from __future__ import annotations

import io
import json
import os
import socket
import time
from pathlib import Path

import pytest

import fake_engine
import hotswap
from fake_engine import FakeEngine
from hotswap import Report, cli
from hotswap._stream_log import StreamLog
from waiting import wait_for

if not hasattr(socket, "AF_UNIX"):
    pytest.skip("there are no Unix sockets here", allow_module_level=True)

from hotswap import _child, _control, _loop
from hotswap._workers import WorkersLog


@pytest.fixture(autouse=True)
def alone(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_control, "places", lambda uid: [str(runtime / "hotswap")])
    monkeypatch.setattr(_control, "commands", {})
    monkeypatch.setattr(_loop, "listening_callbacks", [])
    monkeypatch.setattr(_loop, "last_fork", None)


def report(status: str = "applied", **more: object) -> Report:
    return Report.from_dict(fake_engine.report(status, **more))


def outcome(pid: int, report: Report | None = None) -> dict[str, object]:
    told: dict[str, object] = {"pid": pid, "time": 5.0}
    return told if report is None else {**told, "report": report.to_dict()}


def test_alone_it_is_written_at_once() -> None:
    stream = io.StringIO()
    WorkersLog(StreamLog(stream=stream)).write_report(report())
    assert stream.getvalue().startswith("hotswap #1")


def test_with_workers_one_line_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log = WorkersLog(StreamLog(stream=stream))
    hear = _control.commands["outcome"]
    monkeypatch.setattr("time.time", lambda: 5.0)
    hear(outcome(os.getppid()))
    log.write_report(report())
    hear(outcome(os.getppid(), report()))
    assert not stream.getvalue()
    wait_for(stream.getvalue)
    assert stream.getvalue().count("\n") == 1 and "(slowest of 2 processes)" in stream.getvalue()


def test_worker_alone_bears_its_number() -> None:
    stream = io.StringIO()
    WorkersLog(StreamLog(stream=stream))
    _control.commands["outcome"](outcome(os.getppid(), report()))
    wait_for(stream.getvalue)
    assert stream.getvalue().startswith(f"hotswap[{os.getppid()}] #1")


def test_json_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log = StreamLog(as_json=True, stream=stream)
    log.write_edit([(10, 5.0, report()), (11, 5.0, report("rejected"))])
    value = json.loads(stream.getvalue())
    assert [process["status"] for process in value["processes"]] == ["applied", "rejected"]


def test_traceback_that_all_workers_share_is_written_once() -> None:
    stream = io.StringIO()
    error = {"type": "NameError", "message": "x", "traceback": "Traceback: here"}
    log = StreamLog(stream=stream)
    log.write_edit([(pid, 5.0, report("rejected", error=error)) for pid in (10, 11, 12)])
    assert stream.getvalue().count("Traceback: here") == 1


def test_worker_tells_the_first_process_or_writes_itself(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    wait_for(lambda: _loop.current and _loop.current._server and _loop.current._server.path)
    heard: list[dict[str, object]] = []
    _control.commands["outcome"] = lambda request: heard.append(request) or {}
    stream = io.StringIO()
    worker = WorkersLog(StreamLog(stream=stream, first=1), first=1)
    worker.write_report(report())
    assert stream.getvalue().startswith(f"hotswap[{os.getpid()}] #1") and not heard
    # The socket of this process in the place of the first one's.
    path = _loop.current._server.path  # type: ignore[union-attr]
    os.link(path, os.path.join(os.path.dirname(path), "1.sock"))  # type: ignore[arg-type, type-var]
    worker.write_report(report())
    assert [request["pid"] for request in heard] == [os.getpid()]
    assert stream.getvalue().count("\n") == 1


def test_last_word_of_a_worker_is_heard_and_answered_before_the_end(
    engines: list[FakeEngine], tmp_path: Path
) -> None:
    session = hotswap.watch(tmp_path)
    wait_for(lambda: _loop.current and _loop.current._server and _loop.current._server.path)
    heard: list[dict[str, object]] = []

    def hear_slowly(request: dict[str, object]) -> dict[str, object]:
        time.sleep(0.1)
        heard.append(request)
        return {}

    _control.commands["outcome"] = hear_slowly
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(_loop.current._server.path)  # type: ignore[union-attr, arg-type]
        connection.sendall(json.dumps({"command": "outcome", **outcome(1)}).encode() + b"\n")
        wait_for(lambda: _control._connections)
        session.stop()
        assert [request["pid"] for request in heard] == [1]
        assert connection.recv(100).startswith(b'{"ok": true')


def test_program_of_a_command_line() -> None:
    lines = {
        "python -m hotswap run x": ("-m", "hotswap"),
        "python -mhotswap": ("-m", "hotswap"),
        "python -u -W error -X dev app.py -c x": ("", "app.py"),
        "python -Wignore --check-hash-based-pycs always -Ic code more": ("-c", "code"),
        "python -": ("", "-"),
        "python": ("", ""),
        "python -c": ("-c", ""),
    }
    assert {line: _child.program(line.split()) for line in lines} == lines


def test_run_leaves_word_for_its_workers(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTSWAP_CHILDREN", "")  # so that it is put back
    (tmp_path / "app.py").write_text("")
    monkeypatch.setattr("hotswap._run.run", lambda target: None)
    (tmp_path / "lib").mkdir()
    cli.main(["run", "--watch", "lib", "--json", str(tmp_path / "app.py")])
    parent, _, told = os.environ["HOTSWAP_CHILDREN"].partition(" ")
    assert parent == str(os.getpid())
    assert json.loads(told)["options"]["paths"] == [str(tmp_path), str(tmp_path / "lib")]
    assert json.loads(told)["json"] is True
