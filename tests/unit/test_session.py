from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

import pytest

import fake_engine
import hotswap
from fake_engine import FakeEngine
from hotswap import _loop
from waiting import wait_for


def test_background_update_is_published(
    engines: list[FakeEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[hotswap.Report] = []
    with caplog.at_level(logging.INFO, "hotswap"):
        session = hotswap.watch(tmp_path, on_update=seen.append)
        engines[0].save(fake_engine.report())
        wait_for(lambda: seen)
    assert session.history == seen
    assert session.generation == 1
    assert "hotswap #1" in caplog.text
    assert engines[0].options["paths"] == [str(tmp_path)]


def test_update_without_changes_is_silent(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    engines[0].save(None)
    engines[0].save(fake_engine.unchanged())
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.history)
    assert [report.status for report in session.history] == ["applied"]


def test_sync_tells_what_the_thread_has_done_since(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.history)
    assert hotswap.sync().status == "applied"
    assert hotswap.sync().status == "unchanged"


def test_sync_waits_for_the_thread_to_tell(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    applying, go = threading.Event(), threading.Event()

    def slow() -> None:
        if threading.current_thread().name == "hotswap":
            applying.set()
            go.wait(10)

    engines[0].on_apply = slow
    engines[0].save(fake_engine.report())
    assert applying.wait(10)
    threading.Timer(0.05, go.set).start()
    # The fake's queue still holds the report, so this thread takes it; the other's turn brings None.
    assert hotswap.sync().status == "applied"


def test_sync_in_a_callback_of_the_thread_does_not_wait_for_itself(
    engines: list[FakeEngine], tmp_path: Path
) -> None:
    inner: list[hotswap.Report] = []
    hotswap.watch(tmp_path, on_update=lambda report: inner.append(hotswap.sync()))
    engines[0].save(fake_engine.report())
    wait_for(lambda: inner, seconds=1.5)


def test_callback_errors_are_logged(
    engines: list[FakeEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = hotswap.watch(tmp_path, on_update=lambda report: 1 / 0)
    engines[0].save(fake_engine.report(generation=1))
    engines[0].save(fake_engine.report(generation=2))
    wait_for(lambda: len(session.history) == 2)
    wait_for(lambda: caplog.text.count("ZeroDivisionError") >= 2)


def test_engine_errors_are_logged_and_survived(
    engines: list[FakeEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = hotswap.watch(tmp_path)
    engines[0].save(RuntimeError("inside"))
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.history)
    assert "RuntimeError: inside" in caplog.text


def test_before_and_after_update(engines: list[FakeEngine], tmp_path: Path) -> None:
    order: list[str] = []

    @hotswap.before_update
    def before() -> None:
        order.append("before")

    @hotswap.after_update
    def after(report: hotswap.Report) -> None:
        order.append(report.status)

    hotswap.watch(tmp_path)
    engines[0].save(fake_engine.report("rejected"))
    wait_for(lambda: len(order) == 2)
    hotswap.sync()
    assert order == ["before", "rejected", "before", "unchanged"]


def test_pause_holds_the_thread_back_but_not_sync(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    session.pause()
    assert engines[0].paused
    engines[0].save(fake_engine.report())
    assert session.status()["paused"]
    assert session.history == []
    assert session.sync().status == "applied"
    engines[0].save(fake_engine.report(generation=2))
    session.resume()
    wait_for(lambda: len(session.history) == 2)


def test_checkpoint_applies_there_and_only_there(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path, apply="checkpoint")
    assert hotswap.checkpoint() is None
    loop = _loop.current
    assert loop is not None
    for generation in (1, 2):
        engines[0].save(fake_engine.report(generation=generation))
        wait_for(loop._announced.is_set)
        assert len(session.history) == generation - 1
        report = hotswap.checkpoint()
        assert report is not None and report.generation == generation


def test_history_is_bounded(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTSWAP_HISTORY", "2")
    session = hotswap.watch(tmp_path)
    for generation in (1, 2, 3):
        engines[0].save(fake_engine.report(generation=generation))
    wait_for(lambda: session.generation == 3)
    assert [report.generation for report in session.history] == [2, 3]


def test_rollback_and_diff(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.history)
    assert session.diff() == "0..1"
    assert session.diff(0, 1) == "0..1"
    session.rollback(0)
    assert engines[0].rolled_back == [0]
    assert len(session.history) == 2


def test_second_watch_inside_the_first_shares_its_engine(engines: list[FakeEngine], tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    first = hotswap.watch(tmp_path)
    second = hotswap.watch(inner)
    assert len(engines) == 1
    first.stop()
    assert first.stopped and not second.stopped
    assert not engines[0].stopped
    with pytest.raises(hotswap.NotWatchingError):
        first.sync()
    second.stop()
    assert engines[0].stopped


def test_second_watch_elsewhere_widens_the_engine(engines: list[FakeEngine], tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    session = hotswap.watch(a)
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.history)
    hotswap.watch(b)
    assert engines[0].stopped
    assert engines[1].options["paths"] == [str(a), str(b)]
    engines[1].save(fake_engine.report(generation=1))
    wait_for(lambda: len(session.history) == 2)
    assert session.generation == 2
    assert session.rollback(1).generation == 2
    assert engines[1].rolled_back == [0]
    with pytest.raises(hotswap.RollbackError, match="before the watched paths were widened"):
        session.rollback(0)


def test_second_watch_with_other_settings_is_told_that_they_do_not_count(
    engines: list[FakeEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hotswap.watch(tmp_path)
    hotswap.watch(tmp_path, strategy="reload")
    assert "already watching with strategy='patch', which stays; 'reload' was asked for" in caplog.text


def test_pause_of_one_session_holds_for_all(engines: list[FakeEngine], tmp_path: Path) -> None:
    first, second = hotswap.watch(tmp_path), hotswap.watch(tmp_path)
    first.pause()
    second.pause()
    first.resume()
    assert engines[0].paused
    second.stop()
    assert not engines[0].paused


def test_stop_ends_the_thread_and_the_finder(engines: list[FakeEngine], tmp_path: Path) -> None:
    before = list(sys.meta_path)
    with hotswap.watch(tmp_path) as session:
        assert len(sys.meta_path) == len(before) + 1
        thread = next(thread for thread in threading.enumerate() if thread.name == "hotswap")
        assert thread.daemon
    assert sys.meta_path == before
    assert not thread.is_alive()
    session.stop()
    hotswap.stop()
    with pytest.raises(hotswap.NotWatchingError):
        hotswap.sync()
    assert hotswap.checkpoint() is None


def test_stop_from_a_callback(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path, on_update=lambda report: session.stop())
    engines[0].save(fake_engine.report())
    wait_for(lambda: session.stopped)
    wait_for(lambda: not any(thread.name == "hotswap" for thread in threading.enumerate()))


def test_imports_are_noted(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freshly_noted.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    hotswap.watch(tmp_path)
    __import__("freshly_noted")
    assert "freshly_noted" in engines[0].imports
    del sys.modules["freshly_noted"]


def test_finder_survives_a_replaced_meta_path(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = hotswap.watch(tmp_path)
    monkeypatch.setattr(
        sys, "meta_path", [finder for finder in sys.meta_path if "Noting" not in type(finder).__name__]
    )
    session.stop()


def test_no_such_path(engines: list[FakeEngine], tmp_path: Path) -> None:
    with pytest.raises(hotswap.WatchError, match=r"no such path: .*missing"):
        hotswap.watch(tmp_path / "missing")
    assert engines == []


def test_path_without_python_files(
    engines: list[FakeEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hotswap.watch(tmp_path)
    assert f"there are no Python files below {tmp_path} yet" in caplog.text


def test_failed_start_leaves_nothing_behind(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(sys.meta_path)

    def fail(self: FakeEngine) -> None:
        raise hotswap.WatchError("cannot")

    monkeypatch.setattr(FakeEngine, "start", fail)
    with pytest.raises(hotswap.WatchError):
        hotswap.watch(tmp_path)
    assert sys.meta_path == before
    assert _loop.current is None


def test_turned_off(engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSWAP", "0")
    called: list[object] = []
    with hotswap.watch(tmp_path / "missing", strategy="nonsense", on_update=called.append) as session:  # type: ignore[arg-type]
        assert session.sync().status == hotswap.sync().status == "unchanged"
        assert session.rollback(3).status == "unchanged"
        assert session.history == [] and session.generation == 0
        assert session.diff() == "" and session.status()["enabled"] is False
        session.pause()
        session.resume()
        assert hotswap.checkpoint() is None and session.checkpoint() is None
        assert not session.stopped
    hotswap.stop()
    assert engines == [] and called == []


def test_session_says_what_it_is(engines: list[FakeEngine], tmp_path: Path) -> None:
    session = hotswap.watch(tmp_path)
    assert repr(session) == f"<hotswap.Session generation 0 of {tmp_path}>"
    session.stop()
    assert repr(session) == "<hotswap.Session stopped>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_forked_child_gets_an_engine_of_its_own(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path, strategy="reload")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            wait_for(lambda: len(engines) == 2 and engines[1].started)
            engines[1].save(fake_engine.report())
            session = _loop.current
            assert session is not None
            wait_for(lambda: len(session.history) == 1)
            same = engines[0].options == engines[1].options
            os.write(write, f"{engines[0].stopped} {same} {engines[1].stopped}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"True True False"
    os.close(read)
    assert not engines[0].stopped


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_forked_child_can_sync_at_once_and_exit(engines: list[FakeEngine], tmp_path: Path) -> None:
    hotswap.watch(tmp_path)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if hotswap.sync().status == "unchanged" and len(engines) == 2 else 2
            hotswap.stop()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
