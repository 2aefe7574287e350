"""`consistency="quiescent"` where calls never leave the changed code: the commit comes between two rounds of their loops."""

from __future__ import annotations

import collections
import itertools
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)
PATIENCE = 20.0
MOVES = sys.version_info < (3, 15)
needs_moves = pytest.mark.skipif(not MOVES, reason="running calls are moved up to CPython 3.14")


class Program:
    """A module with functions that run in threads of their own while it is edited."""

    def __init__(self, folder: Path, source: str, timeout: float) -> None:
        self.name = f"quiescent_{next(_numbers)}"
        self.file = folder / f"{self.name}.py"
        self.file.write_text(textwrap.dedent(source))
        self.session = hotswap.watch(folder, consistency="quiescent", quiescence_timeout=timeout)
        self.session.pause()
        self.module: Any = __import__(self.name)
        hotswap.sync()
        self.threads: list[threading.Thread] = []

    def start(self, *names: str, rounds: int = 3) -> None:
        for name in names:
            thread = threading.Thread(target=getattr(self.module, name), daemon=True)
            thread.start()
            self.threads.append(thread)
        self.rounds(rounds)

    def rounds(self, count: int) -> None:
        """Waits until so many lines more are put out."""
        due = len(self.module.OUT) + count
        deadline = time.monotonic() + PATIENCE
        while len(self.module.OUT) < due and time.monotonic() < deadline:
            time.sleep(0.002)
        assert len(self.module.OUT) >= due

    def sub(self, *replacements: tuple[str, str]) -> hotswap.Report:
        text = self.file.read_text()
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        self.file.write_text(text)
        return hotswap.sync()

    def finish(self) -> None:
        self.module.STOP.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a deadlock"


Load = Callable[..., Program]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[Program] = []

    def make(source: str, timeout: float = 5.0) -> Program:
        made.append(Program(tmp_path, source, timeout))
        return made[-1]

    yield make
    for each in made:
        each.finish()
        each.session.stop()
        sys.modules.pop(each.name, None)


SERVER = """\
import threading, time

OUT, STOP = [], threading.Event()


def helper():
    return "old"


def serve():
    while not STOP.is_set():
        first = helper()
        time.sleep(0.01)
        OUT.append(("old", first, helper()))


def serve_too():
    for number in iter(int, 1):
        first = helper()
        time.sleep(0.003)
        OUT.append(("old", first, helper()))
        if STOP.is_set():
            break
"""


def new(text: str) -> str:
    """The same source with all that says old saying new."""
    return text.replace('"old"', '"new"')


def consistent(out: list[Any]) -> bool:
    """No line of an old body with a new helper or the other way round, and new ones after old ones."""
    words = [set(line) for line in out]
    kinds = [word for word, _ in itertools.groupby(out, key=lambda line: line[0])]
    return all(len(each) == 1 for each in words) and kinds == ["old", "new"]


@needs_moves
@pytest.mark.parametrize(
    "names", [("serve",), ("serve_too",), ("serve", "serve_too"), ("serve",) * 4 + ("serve_too",) * 4]
)
def test_loops_that_never_leave_take_the_edit_between_two_rounds(load: Load, names: tuple[str, ...]) -> None:
    program = load(SERVER)
    program.start(*names)
    program.file.write_text(new(SERVER))
    report = hotswap.sync()
    assert report.status == "applied" and not report.pending, report
    program.rounds(3 * len(names))
    program.finish()
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_statements_run_once_while_loops_stand(load: Load) -> None:
    source = SERVER + "\nRAN = globals().get('RAN', 0)\n"
    program = load(source)
    program.start("serve", "serve_too")
    program.file.write_text(new(source).replace("get('RAN', 0)", "get('RAN', 0) + 1"))
    report = hotswap.sync()
    assert report.status == "applied" and not report.pending, report
    program.rounds(6)
    program.finish()
    assert program.module.RAN == 1
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_what_others_make_while_loops_stand_stays_whole(load: Load) -> None:
    """On CPython 3.11 the interpreter writes into the frame object of who has stood: it may not go meanwhile."""
    made: collections.deque[bytes] = collections.deque()
    damaged: list[bytes] = []
    stop = threading.Event()

    def check(limit: int) -> None:
        while len(made) > limit:
            each = made.popleft()
            if each.strip(b"\xff"):
                damaged.append(each)

    def fill() -> None:
        while not stop.is_set():
            made.extend(b"\xff" * size for size in range(80, 320, 16) for _ in range(20))
            check(60_000)
            time.sleep(0)

    source = SERVER.replace("0.01", "0.003")
    program = load(source, 10.0)
    program.start("serve", "serve", "serve_too", "serve_too")
    filler = threading.Thread(target=fill)
    filler.start()
    try:
        for number in range(10):
            program.file.write_text(source.replace('"old"', str(number)))
            report = hotswap.sync()
            assert report.status == "applied", report
    finally:
        stop.set()
        filler.join()
    program.finish()
    check(0)
    assert not damaged, damaged


@needs_moves
def test_an_edit_that_fails_leaves_loops_in_the_old_code(load: Load) -> None:
    source = SERVER + "\nX = 1\n"
    program = load(source)
    program.start("serve", "serve_too")
    program.file.write_text(new(source).replace("X = 1", "X = 1 / 0"))
    assert hotswap.sync().status == "rejected"
    program.rounds(6)
    assert {line[0] for line in program.module.OUT} == {"old"}
    program.file.write_text(new(source).replace("X = 1", "X = 2"))
    report = hotswap.sync()
    assert report.status == "applied" and not report.pending, report
    program.rounds(6)
    program.finish()
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_a_loop_without_a_counterpart_is_in_the_way(load: Load) -> None:
    program = load(SERVER, 0.2)
    program.start("serve")
    report = program.sub(
        (
            "    while not STOP.is_set():\n        first",
            "    for _ in iter(STOP.is_set, True):\n        first",
        )
    )
    assert report.status == "held"
    (pending,) = report.pending
    assert pending.qualname == "serve" and "has no counterpart in the new code" in pending.reason
    program.rounds(3)
    program.finish()
    assert hotswap.sync().status == "applied"


@needs_moves
def test_a_round_that_lasts_is_in_the_way(load: Load) -> None:
    source = SERVER.replace("time.sleep(0.01)", "GO.acquire(timeout=20)")
    source = source.replace("OUT, STOP", "GO = threading.Semaphore(0)\nOUT, STOP")
    program = load(source, 0.1)
    program.start("serve", rounds=0)
    go = program.module.GO
    go.release(2)
    program.rounds(2)
    program.file.write_text(new(source))
    report = hotswap.sync()
    assert report.status == "held", report
    (pending,) = report.pending
    assert "the round of its loop in line 12 has not come to its end" in pending.reason
    # Held or not, the loop goes on.
    go.release()
    program.rounds(1)
    program.session.resume()
    deadline = time.monotonic() + PATIENCE
    while program.module.helper() == "old" and time.monotonic() < deadline:
        go.release()
        time.sleep(0.03)
    program.session.pause()
    go.release(3)
    program.rounds(2)
    program.module.STOP.set()
    go.release(3)
    program.finish()
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_a_caller_in_the_middle_of_a_round_is_in_the_way(load: Load) -> None:
    """The inner loop comes to its end again and again, the outer one does not."""
    program = load(
        """\
        import threading, time
        OUT, STOP = [], threading.Event()
        def inner():
            while not STOP.is_set():
                OUT.append("old")
                time.sleep(0.002)
        def outer():
            while not STOP.is_set():
                inner()
                OUT.append("old")
        """,
        0.2,
    )
    program.start("outer")
    program.file.write_text(new(program.file.read_text()))
    report = hotswap.sync()
    assert report.status == "held" and "outer" in {each.qualname for each in report.pending}, report
    program.rounds(3)
    assert set(program.module.OUT) == {"old"}


@needs_moves
def test_who_stands_holds_a_lock_that_another_needs(load: Load) -> None:
    program = load(
        """\
        import threading, time
        OUT, STOP, LOCK = [], threading.Event(), threading.Lock()
        def helper():
            return "old"
        def holds():
            while not STOP.is_set():
                with LOCK:
                    for _ in range(5):
                        first = helper()
                        time.sleep(0.002)
                        OUT.append(("old", first, helper()))
        def needs():
            while not STOP.is_set():
                first = helper()
                with LOCK:
                    OUT.append(("old", first, helper()))
                time.sleep(0.001)
        """,
        10.0,
    )
    program.start("holds", "needs", "needs")
    program.file.write_text(new(program.file.read_text()))
    report = hotswap.sync()
    assert report.status == "applied" and not report.pending, report
    program.rounds(10)
    program.finish()
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_a_loop_that_lacks_a_variable_is_in_the_way(load: Load) -> None:
    program = load(
        """\
        import threading, time
        OUT, STOP = [], threading.Event()
        def serve():
            while not STOP.is_set():
                OUT.append("old")
                time.sleep(0.002)
        """,
        0.2,
    )
    program.start("serve")
    source = program.file.read_text()
    source = source.replace("    while not", "    value = len(OUT)\n    while not").replace(
        '"old"', '("new", value)'
    )
    program.file.write_text(source)
    report = hotswap.sync()
    assert report.status == "held", report
    (pending,) = report.pending
    assert "the new code reads `value` there, which has no value in this call" in pending.reason
    program.rounds(3)
    program.file.write_text(source.replace("value = len(OUT)", "value = 5"))
    assert hotswap.sync().status == "applied"
    program.rounds(3)
    program.finish()
    assert ("new", 5) in program.module.OUT and ("new", 0) not in program.module.OUT


@needs_moves
def test_asyncio_server_loop(load: Load) -> None:
    program = load(
        """\
        import asyncio, threading
        OUT, STOP = [], threading.Event()
        def helper():
            return "old"
        async def step():
            await asyncio.sleep(0.002)
        async def serve():
            while not STOP.is_set():
                first = helper()
                await step()
                OUT.append(("old", first, helper()))
        def main():
            asyncio.run(serve())
        """
    )
    program.start("main")
    program.file.write_text(new(program.file.read_text()))
    report = hotswap.sync()
    assert report.status == "applied" and not report.pending, report
    program.rounds(3)
    program.finish()
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_a_generator_that_runs_stands_as_well(load: Load) -> None:
    program = load(
        """\
        import threading, time
        OUT, STOP = [], threading.Event()
        def helper():
            return "old"
        def items():
            while True:
                while not STOP.is_set():
                    first = helper()
                    time.sleep(0.002)
                    OUT.append(("old", first, helper()))
                yield
        def consumer():
            for _ in items():
                if STOP.is_set():
                    return
        """
    )
    program.start("consumer")
    program.file.write_text(new(program.file.read_text()))
    report = hotswap.sync()
    assert report.status == "applied" and not report.pending, report
    program.rounds(3)
    program.finish()
    assert consistent(program.module.OUT), program.module.OUT


@needs_moves
def test_many_edits_of_loops_that_never_leave(load: Load) -> None:
    """Each line has one number only, whatever thread it is from, and numbers never go back."""
    source = SERVER.replace("0.01", "0.002").replace('"old"', "0")
    program = load(source, 10.0)
    program.start("serve", "serve", "serve_too")
    for number in range(1, 41):
        more = "".join(f"        v{each} = {each}\n" for each in range(number % 7))
        text = (
            source.replace(", 0\n", f", {number}\n")
            .replace("(0,", f"({number},")
            .replace("return 0", f"return {number}")
        )
        program.file.write_text(
            text.replace("        first = helper()\n", f"{more}        first = helper()\n")
        )
        report = hotswap.sync()
        assert report.status == "applied" and not report.pending, (number, report)
    program.rounds(6)
    program.finish()
    out = program.module.OUT
    assert all(len(set(line)) == 1 for line in out), out
    numbers = [line[0] for line in out]
    assert numbers == sorted(numbers) and numbers[-1] == 40
    # Nothing is watched any more.
    assert not program.session.status()["pending"]
