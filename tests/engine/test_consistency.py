"""When an update is committed while old code is on a stack, and that nothing is locked while it waits."""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)
PATIENCE = 10.0

BUSY = """\
import threading

entered, leave = threading.Event(), threading.Event()


def inner():
    return {0}


def outer():
    first = inner()
    entered.set()
    leave.wait({1})
    return first, inner()


def alone():
    entered.set()
    leave.wait({1})
    return {0}
"""


class Watched:
    """A module that is watched with one of the modes, and edited."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = settings
        self.sessions: list[hotswap.Session] = []
        self.modules: list[str] = []

    def load(self, source: str) -> Any:
        name = f"consistent_{next(_numbers)}"
        self.file = self.folder / f"{name}.py"
        self.file.write_text(source)
        self.session = hotswap.watch(self.folder, **self.settings)
        self.sessions.append(self.session)
        self.session.pause()
        self.modules.append(name)
        module = __import__(name)
        hotswap.sync()
        return module

    def edit(self, source: str) -> None:
        self.file.write_text(source)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watched]]:
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[Watched] = []

    def make(**settings: Any) -> Watched:
        made.append(Watched(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        for session in each.sessions:
            session.stop()
        for name in each.modules:
            sys.modules.pop(name, None)


def start(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    return thread, results


def finish(thread: threading.Thread) -> None:
    thread.join(PATIENCE)
    assert not thread.is_alive(), "a deadlock"


def test_immediate_commits_while_a_call_is_inside(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="immediate")
    module = program.load(BUSY.format(1, PATIENCE))
    thread, results = start(module.outer)
    assert module.entered.wait(PATIENCE)
    program.edit(BUSY.format(2, PATIENCE + 1))
    began = time.perf_counter()
    report = hotswap.sync()
    assert report.status == "applied"
    assert time.perf_counter() - began < 5
    assert any(each.qualname == "outer" and each.line == 13 for each in report.pending), report.pending
    module.leave.set()
    finish(thread)
    # What immediate means: the old call meets the new function.
    assert results == [(1, 2)]


def test_auto_waits_a_little_where_changed_functions_call_one_another(
    watched: Callable[..., Watched],
) -> None:
    program = watched(consistency="auto")
    module = program.load(BUSY.format(1, PATIENCE))
    thread, _ = start(module.outer)
    assert module.entered.wait(PATIENCE)
    program.edit(BUSY.format(2, PATIENCE + 1))
    report = hotswap.sync()
    assert report.status == "applied"
    assert [each.qualname for each in report.pending] == ["outer"]
    module.leave.set()
    finish(thread)


def test_auto_catches_the_moment_when_a_call_has_left(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="auto")
    module = program.load(BUSY.format(1, "0.002"))
    stop = threading.Event()
    wrong: list[Any] = []

    def loop() -> None:
        while not stop.is_set():
            first, second = module.outer()
            if first != second:
                wrong.append((first, second))
            time.sleep(0.002)

    thread, _ = start(loop)
    missed = []
    for number in range(2, 30):
        program.edit(BUSY.format(number, f"0.002{number:02}"))
        report = hotswap.sync()
        assert report.status == "applied"
        if report.pending:  # the machine was busy, and no moment came
            missed.append(number)
    stop.set()
    finish(thread)
    assert len(missed) < 10
    assert [each for each in wrong if each[1] not in missed] == []


LEAVING = (
    BUSY
    + """

class Waiter:
    def __init__(self):
        self.first = {0}
        {2}

    def __hotswap_migrate__(self, added, removed, old_values):
        leave.set()
        for thread in threading.enumerate():
            if thread.name == "leaving":
                thread.join({1})


WAITER = Waiter()
"""
)


@pytest.mark.parametrize("mode", ["auto", "immediate"])
def test_call_that_leaves_between_the_commit_and_the_report_is_listed(
    watched: Callable[..., Watched], mode: str
) -> None:
    program = watched(consistency=mode)
    module = program.load(LEAVING.format(1, PATIENCE, "pass"))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(module.outer()), name="leaving", daemon=True)
    thread.start()
    assert module.entered.wait(PATIENCE)
    program.edit(LEAVING.format(2, PATIENCE + 1, "self.second = 2"))
    report = hotswap.sync()
    assert report.status == "applied"
    assert not thread.is_alive() and results == [(1, 2)]
    (left,) = report.pending
    assert (left.qualname, left.file) == ("outer", str(program.file))
    assert left.reason == "it was running when the update was committed, and has left since"
    assert program.session.status()["pending"] == []


def test_auto_does_not_wait_for_a_function_that_changes_alone(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="auto")
    module = program.load(BUSY.format(1, PATIENCE))
    thread, results = start(module.alone)
    assert module.entered.wait(PATIENCE)
    head, _, _ = BUSY.format(1, PATIENCE).rpartition("return 1")
    program.edit(head + "return 6\n")
    report = hotswap.sync()
    assert [each.qualname for each in report.pending] == ["alone"]
    module.leave.set()
    finish(thread)
    assert results == [1] and module.alone() == 6


def test_quiescent_waits_until_the_call_has_left(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="quiescent", quiescence_timeout=PATIENCE)
    module = program.load(BUSY.format(1, PATIENCE))
    thread, results = start(module.outer)
    assert module.entered.wait(PATIENCE)
    program.edit(BUSY.format(2, PATIENCE + 1))
    timer = threading.Timer(0.1, module.leave.set)
    timer.start()
    report = hotswap.sync()
    assert report.status == "applied" and report.pending == ()
    finish(thread)
    assert results == [(1, 1)] and module.inner() == 2


def test_quiescent_holds_and_names_who_is_in_the_way(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="quiescent", quiescence_timeout=0.05)
    module = program.load("COUNT = []\n" + BUSY.format(1, PATIENCE))
    thread, results = start(module.outer)
    assert module.entered.wait(PATIENCE)
    program.edit("COUNT = []\n" + BUSY.format(2, PATIENCE + 1) + "COUNT.append(1)\n")
    report = hotswap.sync()
    assert (report.status, report.generation) == ("held", 0)
    (inside,) = report.pending
    assert (inside.qualname, inside.file, inside.line) == ("outer", str(program.file), 14)
    assert module.inner() == 1
    # Nothing has run, so nothing will run twice.
    assert module.COUNT == []
    assert hotswap.sync().status == "held"
    module.leave.set()
    finish(thread)
    assert results == [(1, 1)]
    assert hotswap.sync().status == "applied"
    assert module.inner() == 2 and module.COUNT == [1]


def test_held_update_is_tried_again_by_itself(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="quiescent", quiescence_timeout=0.02)
    module = program.load(BUSY.format(1, PATIENCE))
    thread, _ = start(module.outer)
    assert module.entered.wait(PATIENCE)
    program.edit(BUSY.format(2, PATIENCE + 1))
    assert hotswap.sync().status == "held"
    program.session.resume()
    module.leave.set()
    finish(thread)
    deadline = time.monotonic() + PATIENCE
    while program.session.history[-1].status == "held" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert module.inner() == 2
    statuses = [report.status for report in program.session.history]
    assert statuses.count("held") <= 2 and statuses[-1] == "applied"


@pytest.mark.parametrize("kind", ["generator", "coroutine", "asynchronous generator"])
def test_quiescent_waits_for_what_is_suspended(watched: Callable[..., Watched], kind: str) -> None:
    program = watched(consistency="quiescent", quiescence_timeout=0.05)
    source = {
        "generator": "def work():\n    yield 1\n    yield {0}\n",
        "coroutine": "class Pause:\n    def __await__(self):\n        yield\n\nasync def work():\n    await Pause()\n    return {0}\n",
        "asynchronous generator": "async def work():\n    yield 1\n    yield {0}\n",
    }[kind]
    module = program.load(source.format(1))
    held = module.work()
    if kind == "generator":
        next(held)
    else:
        try:
            (held if kind == "coroutine" else held.asend(None)).send(None)
        except StopIteration:
            pass
    program.edit(source.format(2))
    report = hotswap.sync()
    assert report.status == "held"
    assert [each.qualname for each in report.pending] == ["work"]
    if kind == "asynchronous generator":
        with pytest.raises(StopIteration):
            held.aclose().send(None)
    else:
        held.close()
    assert hotswap.sync().status == "applied"


def test_checkpoint_is_the_only_moment(watched: Callable[..., Watched]) -> None:
    program = watched(apply="checkpoint")
    module = program.load("X = 1\n")
    assert hotswap.checkpoint() is None
    program.session.resume()
    program.edit("X = 2\n")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        before = module.X
        report = hotswap.checkpoint()
        if report is not None:
            assert before == 1
            break
        time.sleep(0.005)
    assert module.X == 2


def test_checkpoint_inside_a_changed_function_is_a_safe_moment(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="quiescent", quiescence_timeout=0.5)
    module = program.load("import hotswap\n\ndef loop():\n    return hotswap.sync()\n")
    program.edit("import hotswap\n\ndef loop():\n    return hotswap.sync(), 2\n")
    assert module.loop().status == "applied"
    assert module.loop()[1] == 2


def test_update_in_a_callback_of_an_update_is_turned_away(watched: Callable[..., Watched]) -> None:
    program = watched()
    module = program.load("X = 1\n")
    seen: list[hotswap.Report] = []
    lock = threading.Lock()

    @hotswap.before_update
    def before() -> None:
        with lock:
            seen.append(hotswap.sync())

    @hotswap.after_update
    def after(report: hotswap.Report) -> None:
        with lock:
            seen.append(hotswap.sync())

    try:
        program.edit("X = 2\n")
        assert hotswap.sync().status == "applied"
    finally:
        from hotswap import _loop

        _loop.before_callbacks.remove(before)
        _loop.after_callbacks.remove(after)
    assert [report.notes for report in seen] == [("an update is in progress in this thread",)] * 2
    assert module.X == 2


# ---- locks that the program holds while an update waits ----


def busy_with(take: str, give: str) -> str:
    return (
        "import threading, queue, logging, multiprocessing\n"
        "LOCK, RLOCK, CONDITION = threading.Lock(), threading.RLock(), threading.Condition()\n"
        "entered = threading.Event()\n"
        "SEMAPHORE, BOUNDED = threading.Semaphore(), threading.BoundedSemaphore()\n"
        "BETWEEN = multiprocessing.Lock()\n"
        "QUEUE = queue.Queue(1)\n"
        "HANDLER = logging.StreamHandler()\n\n"
        "def inner():\n    return {0}\n\n"
        "def outer(needed):\n"
        f"    {take}\n"
        "    entered.set()\n"
        "    needed()\n"
        f"    {give}\n"
        "    return inner()\n"
    )


LOCKS = {
    "lock": ("LOCK.acquire()", "LOCK.release()"),
    "reentrant lock": ("RLOCK.acquire()", "RLOCK.release()"),
    "condition": ("CONDITION.acquire()", "CONDITION.release()"),
    "semaphore": ("SEMAPHORE.acquire()", "SEMAPHORE.release()"),
    "bounded semaphore": ("BOUNDED.acquire()", "BOUNDED.release()"),
    "lock between processes": ("BETWEEN.acquire()", "BETWEEN.release()"),
    "logging module's lock": (
        "logging._acquireLock() if hasattr(logging, '_acquireLock') else logging._lock.acquire()",
        "logging._releaseLock() if hasattr(logging, '_releaseLock') else logging._lock.release()",
    ),
    "import lock": ("import imp_lock_helper", "pass"),
    "logging lock": ("HANDLER.acquire()", "HANDLER.release()"),
    "queue": ("QUEUE.put(1)", "QUEUE.get()"),
}


@pytest.mark.parametrize("kind", LOCKS)
@pytest.mark.parametrize("mode", ["auto", "quiescent"])
def test_lock_held_inside_changed_code(
    watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch, kind: str, mode: str
) -> None:
    """A thread inside the changed code holds a lock, and needs hotswap to get on."""
    program = watched(consistency=mode, quiescence_timeout=0.3)
    take, give = LOCKS[kind]
    (program.folder / "imp_lock_helper.py").write_text(
        "import threading, hotswap\nhotswap.watch(__file__).stop()\n"
    )
    monkeypatch.delitem(sys.modules, "imp_lock_helper", raising=False)
    module = program.load(busy_with(take, give).format(1))
    program.modules.append("imp_lock_helper")

    def needed() -> None:
        # Every public call, while the update of the other thread waits for this one to leave.
        program.session.status()
        hotswap.checkpoint()
        hotswap.watch(program.folder).stop()
        program.session.pause()
        hotswap.sync(timeout=5)

    thread, results = start(lambda: module.outer(needed))
    assert module.entered.wait(PATIENCE)
    program.edit(busy_with(take, give).format(2) + "\n\nY = 1\n")
    updating, _ = start(hotswap.sync)
    finish(thread)
    finish(updating)
    assert results[0] in (1, 2)
    hotswap.sync()
    assert module.inner() == 2 and module.Y == 1


@pytest.mark.parametrize(
    "kind",
    [
        "lock",
        "reentrant lock",
        "condition",
        "semaphore",
        "lock between processes",
        "logging lock",
        "logging module's lock",
    ],
)
def test_lock_that_the_updating_thread_took_before(
    watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    program = watched()
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger("hotswap"), "handlers", [handler])
    module = program.load(busy_with("pass", "pass").format(1))
    lock = {
        "lock": module.LOCK,
        "reentrant lock": module.RLOCK,
        "condition": module.CONDITION,
        "semaphore": module.SEMAPHORE,
        "lock between processes": module.BETWEEN,
        "logging lock": handler.lock,
        "logging module's lock": logging._lock,  # type: ignore[attr-defined]
    }[kind]
    program.edit(busy_with("pass", "pass").format(2))

    def update() -> hotswap.Report:
        with lock:
            return hotswap.sync()

    thread, results = start(update)
    finish(thread)
    assert results[0].status == "applied"


def test_lock_that_a_new_statement_needs_and_another_thread_holds(watched: Callable[..., Watched]) -> None:
    program = watched()
    module = program.load("import threading\nLOCK = threading.Lock()\n")
    program.edit("import threading\nLOCK = threading.Lock()\nwith LOCK:\n    X = 1\n")
    with module.LOCK:
        thread, results = start(hotswap.sync)
        # The caller holds what the statement needs: its own call must come back.
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            report = hotswap.sync(timeout=0.05)
            if report.notes:
                break
        assert report.notes == (
            "an update is in progress in another thread; it was not waited for any longer",
        )
        assert "notes" in program.session.status()
    finish(thread)
    assert results[0].status == "applied" and module.X == 1


def test_asyncio_lock_held_by_a_task(watched: Callable[..., Watched]) -> None:
    program = watched(consistency="quiescent", quiescence_timeout=0.2)
    source = "import asyncio\n\nasync def work(lock, go):\n    async with lock:\n        await go.wait()\n        return {0}\n"
    module = program.load(source.format(1))

    async def main() -> tuple[str, int, int]:
        lock, go = asyncio.Lock(), asyncio.Event()
        task = asyncio.ensure_future(module.work(lock, go))
        await asyncio.sleep(0)
        program.edit(source.format(2))
        loop = asyncio.get_running_loop()
        held = (await loop.run_in_executor(None, hotswap.sync)).status
        go.set()
        first = await task
        async with lock:
            await loop.run_in_executor(None, hotswap.sync)
        return held, first, await module.work(lock, go)

    assert asyncio.run(asyncio.wait_for(main(), PATIENCE)) == ("held", 1, 2)


def test_queue_between_the_updating_thread_and_another(watched: Callable[..., Watched]) -> None:
    program = watched()
    module = program.load("import queue\nQUEUE = queue.Queue()\n")
    program.edit("import queue\nQUEUE = queue.Queue()\nX = QUEUE.get(timeout=10)\n")
    thread, results = start(hotswap.sync)
    module.QUEUE.put(7)
    finish(thread)
    assert results[0].status == "applied" and module.X == 7
    with pytest.raises(queue.Empty):
        module.QUEUE.get_nowait()
