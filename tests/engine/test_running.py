"""Calls that run, or are suspended, while their function is edited: they go on in the new code."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)
PATIENCE = 20.0
MOVES = sys.version_info < (3, 15)
MONITORS = (3, 12) <= sys.version_info < (3, 15)
MOVES_SUSPENDED = sys.version_info < (3, 15)


class Program:
    """A module on disk, imported, that can be edited."""

    def __init__(self, session: hotswap.Session, folder: Path, source: str) -> None:
        self.session = session
        self.name = f"running_{next(_numbers)}"
        self.file = folder / f"{self.name}.py"
        self.file.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        self.module: Any = importlib.import_module(self.name)
        hotswap.sync()

    def edit(self, source: str) -> hotswap.Report:
        self.file.write_text(textwrap.dedent(source))
        report = hotswap.sync()
        assert report.status == "applied", report
        return report

    def sub(self, *replacements: tuple[str, str]) -> hotswap.Report:
        text = self.file.read_text()
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        return self.edit(text)


Load = Callable[[str], Program]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    before = set(sys.modules)
    yield lambda source: Program(session, tmp_path, source)
    session.stop()
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class Turns:
    """A call in a thread of its own that goes on for one turn each time it is told to."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.arrived = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.out: list[Any] = []
        self.result: Any = None
        self.thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self.thread.start()
        self._wait()

    def _run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            self.result = function(self.out, self, *arguments)
        except BaseException as error:  # the test looks at it
            self.result = error
        self.arrived.release()

    def __call__(self) -> None:
        self.arrived.release()
        assert self.go.acquire(timeout=PATIENCE)

    def __enter__(self) -> None:
        self.out.append("in")

    def __exit__(self, *_: object) -> None:
        self.out.append("out")

    def _wait(self) -> None:
        assert self.arrived.acquire(timeout=PATIENCE), "the call does not come back"

    def next(self, count: int = 1) -> None:
        for _ in range(count):
            self.go.release()
            self._wait()

    def finish(self, limit: int = 100) -> Any:
        while self.thread.is_alive() and limit:
            limit -= 1
            self.go.release()
            self._wait()
            self.thread.join(0.001 if limit % 10 else 0.05)
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.result


# The edit comes while the call waits in its third turn; each case says what it has put out in the end.
LOOPS = {
    "while_true": (
        """\
        def work(out, turn):
            n = 0
            while True:
                n += 1
                out.append(("old", n))
                turn()
                if n == 5:
                    return n
        """,
        [('("old", n)', '("new", n, n * n)')],
        [("old", 1), ("old", 2), ("old", 3), ("new", 4, 16), ("new", 5, 25)],
    ),
    "while_with_condition_and_else": (
        """\
        def work(out, turn):
            n = 0
            while n < 10:
                n += 1
                out.append(n)
                turn()
            else:
                out.append("else")
        """,
        [("n < 10", "n < 5"), ('"else"', '"other"')],
        [1, 2, 3, 4, 5, "other"],
    ),
    "condition_added_to_an_endless_loop": (
        """\
        def work(out, turn):
            n = 0
            while True:
                n += 1
                out.append(n)
                turn()
        """,
        [("while True", "while n < 3")],
        [1, 2, 3],
    ),
    "condition_with_an_effect_is_not_asked_twice": (
        """\
        def work(out, turn):
            left = [1, 2, 3, 4, 5, 6]
            while left and (item := left.pop(0)):
                out.append(item)
                turn()
        """,
        [("out.append(item)", "out.append(-item)")],
        [1, 2, 3, -4, -5, -6],
    ),
    "continue_and_break": (
        """\
        def work(out, turn):
            n = 0
            while n < 100:
                n += 1
                if n % 2:
                    turn()
                    continue
                out.append(n)
                turn()
                if n > 8:
                    break
            out.append("end")
        """,
        [("n % 2", "n % 3"), ("n > 8", "n > 5")],
        [2, 6, "end"],
    ),
    "for_over_a_list": (
        """\
        def work(out, turn):
            for x in [1, 2, 3, 4, 5]:
                out.append(x)
                turn()
        """,
        [("out.append(x)", "y = x + 1; out.append((x, y))")],
        [1, 2, 3, (4, 5), (5, 6)],
    ),
    "for_over_range_keeps_its_iterator": (
        """\
        def work(out, turn):
            for x in range(5):
                out.append(x)
                turn()
            return "old"
        """,
        [("range(5)", "range(0, 100, 10)"), ("out.append(x)", "out.append(-x)"), ('"old"', '"new"')],
        [0, 1, 2, -3, -4],
    ),
    "for_with_another_target": (
        """\
        def work(out, turn):
            for i, x in enumerate("abcde"):
                out.append(x)
                turn()
        """,
        [("for i, x in", "for i, letter in"), ("out.append(x)", "out.append((i, letter))")],
        ["a", "b", "c", (3, "d"), (4, "e")],
    ),
    "for_over_zip_and_dict_views": (
        """\
        def work(out, turn):
            d = {"a": 1, "b": 2, "c": 3, "d": 4}
            for (k, v), w in zip(d.items(), d.values()):
                out.append(k)
                turn()
        """,
        [("out.append(k)", "out.append((k, v, w))")],
        ["a", "b", "c", ("d", 4, 4)],
    ),
    "for_over_a_generator_of_the_program": (
        """\
        def numbers():
            n = 0
            while n < 5:
                n += 1
                yield n
        def work(out, turn):
            for x in numbers():
                out.append(x)
                turn()
        """,
        [("yield n", "yield n * 100"), ("out.append(x)", "out.append((x,))")],
        [1, 2, 3, (400,), (500,)],
    ),
    "nested_loops_each_move": (
        """\
        def work(out, turn):
            for x in "ab":
                for y in "12":
                    out.append(x + y)
                    turn()
                out.append(x)
        """,
        [("out.append(x + y)", "out.append(y + x)"), ("out.append(x)\n", "out.append(x * 3)\n")],
        ["a1", "a2", "aaa", "1b", "2b", "bbb"],
        2,
    ),
    "inner_loop_with_another_nesting_waits_for_the_outer": (
        """\
        def work(out, turn):
            for x in "ab":
                for y in "123":
                    out.append(x + y)
                    turn()
        """,
        [
            (
                'for y in "123":\n            out.append(x + y)\n            turn()',
                'with turn:\n            for y in "12":\n                out.append(y)\n                turn()',
            )
        ],
        ["a1", "a2", "a3", "in", "1", "2", "out"],
    ),
    "inside_with": (
        """\
        import contextlib
        @contextlib.contextmanager
        def manager(out):
            out.append("enter")
            yield 1
            out.append("exit")
        def work(out, turn):
            with manager(out), manager(out) as one:
                for x in range(5):
                    out.append(x)
                    turn()
            out.append("done")
        """,
        [("out.append(x)", "out.append((one, x))"), ('"done"', '"finished"')],
        ["enter", "enter", 0, 1, 2, (1, 3), (1, 4), "exit", "exit", "finished"],
    ),
    "inside_try_with_another_handler": (
        """\
        def work(out, turn):
            try:
                for x in range(5):
                    out.append(x)
                    turn()
            finally:
                out.append("cleaned")
        """,
        [
            ("out.append(x)\n", "out.append(1 // (x - 4))\n"),
            ("finally:", "except ZeroDivisionError as error:\n        out.append(type(error).__name__)\n    finally:"),
        ],
        [0, 1, 2, -1, "ZeroDivisionError", "cleaned"],
    ),
    "a_new_try_around_the_loop": (
        """\
        def work(out, turn):
            for x in range(5):
                out.append(x)
                turn()
        """,
        [
            (
                "    for x in range(5):\n        out.append(x)\n        turn()",
                "    try:\n        for x in range(5):\n            out.append(1 // (3 - x))\n            turn()\n"
                "    except ZeroDivisionError:\n        out.append('caught')",
            )
        ],
        [0, 1, 2, "caught"],
    ),
    "in_a_handler": (
        """\
        def work(out, turn):
            try:
                raise KeyError("k")
            except KeyError as error:
                for x in range(5):
                    out.append(x)
                    turn()
                raise
        """,
        [("out.append(x)", "out.append((x, error.args[0]))")],
        [0, 1, 2, (3, "k"), (4, "k")],
    ),
    "in_finally_after_an_exception": (
        """\
        def work(out, turn):
            try:
                raise KeyError("k")
            finally:
                for x in range(5):
                    out.append(x)
                    turn()
        """,
        [("out.append(x)", "out.append(-x)")],
        [0, 1, 2, -3, -4],
    ),
    "new_body_raises": (
        """\
        def work(out, turn):
            for x in range(5):
                out.append(x)
                turn()
        """,
        [("out.append(x)", "raise ValueError(x)")],
        [0, 1, 2],
    ),
    "local_becomes_a_cell": (
        """\
        def work(out, turn):
            total = 0
            for x in range(5):
                total += x
                out.append(total)
                turn()
        """,
        [("out.append(total)", "out.append((lambda: total)())"), ("total += x", "total += 10 * x")],
        [0, 1, 3, 33, 73],
    ),
    "cell_becomes_a_local": (
        """\
        def work(out, turn):
            total = 0
            for x in range(5):
                total += x
                out.append((lambda: total)())
                turn()
        """,
        [("out.append((lambda: total)())", "out.append(total)"), ("total += x", "total += 10 * x")],
        [0, 1, 3, 33, 73],
    ),
    "locals_removed_and_added": (
        """\
        def work(out, turn):
            a = b = c = 1
            for x in range(5):
                out.append(a + b + c)
                turn()
        """,
        [("a = b = c = 1", "b = 1"), ("out.append(a + b + c)", "new = b * 2; more = new * 5; out.append((new, more))")],
        [3, 3, 3, (2, 10), (2, 10)],
    ),
    "new_locals_with_literals_before_the_loop": (
        """\
        def work(out, turn):
            for x in range(5):
                out.append(x)
                turn()
        """,
        [
            ("    for x", "    best, seen = None, 0\n    rows: list = []\n    total = 10\n    for x"),
            ("out.append(x)", "rows.append(x); total += x; out.append((len(rows), (lambda: total)()))"),
        ],
        [0, 1, 2, (1, 13), (2, 17)],
    ),
    "in_a_method_with_super": (
        """\
        class Base:
            def name(self):
                return "base"
        class Worker(Base):
            def name(self):
                return "worker"
            def run(self, out, turn):
                self.n = 0
                while self.n < 5:
                    self.n += 1
                    out.append(self.name())
                    turn()
        def work(out, turn):
            Worker().run(out, turn)
        """,
        [("out.append(self.name())", "out.append(super().name())")],
        ["worker", "worker", "worker", "base", "base"],
    ),
    "in_a_closure": (
        """\
        def outer(out, turn):
            count, other = 0, "o"
            def inner():
                nonlocal count
                while count < 5:
                    count += 1
                    out.append(count)
                    turn()
            return inner, lambda: other
        def work(out, turn):
            outer(out, turn)[0]()
        """,
        [("out.append(count)", "out.append(-count)")],
        [1, 2, 3, -4, -5],
    ),
    "called_from_a_lambda_and_a_comprehension": (
        """\
        def steps(out, turn):
            for x in range(5):
                out.append(x)
                turn()
            return "old"
        def work(out, turn):
            return [(lambda: steps(out, turn))() for _ in range(1)]
        """,
        [("out.append(x)", "out.append(x + 100)"), ('"old"', '"new"')],
        [0, 1, 2, 103, 104],
    ),
    "recursion_moves_each_call": (
        """\
        def work(out, turn, depth=2):
            for x in range(2):
                if depth:
                    work(out, turn, depth - 1)
                out.append((depth, x))
                turn()
        """,
        [("out.append((depth, x))", "out.append((x, depth, 'new'))")],
        [
            (0, 0), (0, 1), (1, 0), (0, 0, "new"), (1, 0, "new"), (1, 1, "new"), (2, 0),
            (0, 0, "new"), (1, 0, "new"), (0, 1, "new"), (0, 0, "new"), (1, 0, "new"), (1, 1, "new"), (1, 2, "new"),
        ],
    ),
}  # fmt: skip


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
@pytest.mark.parametrize("name", LOOPS)
def test_loop(load: Load, name: str) -> None:
    before, edits, expected, *more = LOOPS[name]
    program = load(before)
    call = Turns(program.module.work)
    call.next(more[0] - 1 if more else 2)
    report = program.sub(*edits)
    result = call.finish()
    if isinstance(result, BaseException) and not isinstance(result, (KeyError, ValueError)):
        raise result
    assert call.out == expected, (result, report.to_dict())
    assert not program.session.status()["pending"]


# Each is stepped by hand; the edit comes after the second step.
SUSPENDED = {
    "generator": (
        """\
        def work():
            n = 0
            while True:
                n += 1
                yield ("old", n)
        """,
        [('"old"', '"new"')],
        [("old", 1), ("old", 2), ("new", 3), ("new", 4)],
    ),
    "yields_in_a_row": (
        """\
        def work():
            yield 1
            yield 2
            yield 3
            yield 4
        """,
        [("yield 3", "yield 30"), ("yield 1", "yield 10")],
        [1, 2, 30, 4],
    ),
    "yield_inside_an_unchanged_expression": (
        """\
        def work():
            n = 0
            while n < 10:
                n += 1
                print(end=str((yield n)) and "")
        """,
        [("n += 1", "n += 10")],
        [1, 2, 12],
    ),
    "yield_from_goes_on_inside": (
        """\
        def inner():
            for x in range(4):
                yield x
        def work():
            got = yield from inner()
            yield "old"
        """,
        [('"old"', '"new"'), ("yield x", "yield -x")],
        [0, 1, -2, -3, "new"],
    ),
    "generator_in_a_for_of_another": (
        """\
        def inner():
            for x in range(4):
                yield x
        def work():
            for x in inner():
                yield ("old", x)
        """,
        [('("old", x)', '("new", x)'), ("yield x", "yield x * 10")],
        [("old", 0), ("old", 1), ("new", 20), ("new", 30)],
    ),
    "inside_with_and_try": (
        """\
        import contextlib
        out = []
        def work():
            with contextlib.closing(type("C", (), {"close": lambda self: out.append("closed")})()):
                try:
                    for x in range(3):
                        yield x
                finally:
                    yield "old"
        """,
        [('"old"', '"new"')],
        [0, 1, 2, "new"],
    ),
    "in_a_handler": (
        """\
        def work():
            try:
                raise KeyError("k")
            except KeyError as error:
                for x in range(3):
                    yield x
                yield error.args
        """,
        [("yield error.args", "yield repr(error)")],
        [0, 1, 2, "KeyError('k')"],
    ),
    "fewer_variables": (
        """\
        def work():
            a = b = c = 1
            while True:
                yield a + b + c
                a += 1
        """,
        [("a = b = c = 1", "a = 1"), ("yield a + b + c", "yield a")],
        [3, 4, 3, 4],
    ),
}  # fmt: skip


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
@pytest.mark.parametrize("name", SUSPENDED)
def test_suspended(load: Load, name: str) -> None:
    before, edits, expected = SUSPENDED[name]
    program = load(before)
    generator = program.module.work()
    got = [next(generator), next(generator)]
    report = program.sub(*edits)
    got.extend(itertools.islice(generator, len(expected) - 2))
    assert got == expected, report.to_dict()
    generator.close()


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_a_generator_that_has_not_begun(load: Load) -> None:
    program = load("def work(a, b=2):\n    x = a + b\n    yield x\n    yield x\n    yield x\n")
    generator = program.module.work(1)
    program.sub(("x = a + b", "x = a - b"))
    assert list(generator) == [-1, -1, -1]


@types.coroutine
def turn() -> Iterator[None]:
    yield


COROUTINES = {
    "await_in_a_loop": (
        """\
        async def work(out, turn):
            n = 0
            while n < 4:
                n += 1
                out.append(("old", n))
                await turn()
            return "old"
        """,
        [('("old", n)', '("new", n)'), ('return "old"', 'return "new"')],
        [("old", 1), ("old", 2), ("new", 3), ("new", 4), "new"],
    ),
    "awaits_in_a_row": (
        """\
        async def work(out, turn):
            out.append(1)
            await turn()
            out.append(2)
            x = await turn()
            out.append(3)
            return await turn()
        """,
        [("out.append(3)", "out.append(33)")],
        [1, 2, 33, None],
    ),
    "async_for": (
        """\
        async def numbers(turn):
            for x in range(4):
                await turn()
                yield x
        async def work(out, turn):
            async for x in numbers(turn):
                out.append(("old", x))
            return 1
        """,
        [('("old", x)', '("new", x)'), ("yield x", "yield x * 10")],
        [("old", 0), ("new", 10), ("new", 20), ("new", 30), 1],
    ),
    "async_with_being_entered": (
        """\
        class Manager:
            def __init__(self, out, turn):
                self.out, self.turn = out, turn
            async def __aenter__(self):
                await self.turn()
                await self.turn()
                self.out.append("in")
            async def __aexit__(self, *_):
                self.out.append("out")
        async def work(out, turn):
            async with Manager(out, turn), Manager(out, turn):
                out.append("old")
            return 1
        """,
        [('out.append("old")', 'out.append("new")')],
        ["in", "in", "new", "out", "out", 1],
    ),
    "inside_async_with": (
        """\
        class Manager:
            def __init__(self, out):
                self.out = out
            async def __aenter__(self):
                return self
            async def __aexit__(self, *_):
                self.out.append("out")
        async def work(out, turn):
            async with Manager(out) as manager:
                while True:
                    await turn()
                    out.append("old")
                    if len(out) > 3:
                        return manager is not None
        """,
        [('out.append("old")', 'out.append("new")')],
        ["old", "new", "new", "new", "out", True],
    ),
    "await_inside_an_unchanged_expression": (
        """\
        async def value(turn):
            await turn()
            return 1
        async def work(out, turn):
            for _ in range(4):
                out.append(10 + await value(turn))
            return "end"
        """,
        [("range(4)", "range(40)"), ('"end"', '"finished"')],
        [11, 11, 11, 11, "finished"],
    ),
}  # fmt: skip


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
@pytest.mark.parametrize("name", COROUTINES)
def test_coroutine(load: Load, name: str) -> None:
    before, edits, expected = COROUTINES[name]
    program = load(before)
    out: list[Any] = []
    coroutine = program.module.work(out, turn)
    coroutine.send(None)
    coroutine.send(None)
    report = program.sub(*edits)
    try:
        for _ in range(20):
            coroutine.send(None)
    except StopIteration as stop:
        out.append(stop.value)
    assert out == expected, report.to_dict()
    assert not report.pending


# What stays in the old code, and why.
REFUSED = {
    "a_variable_that_the_call_never_set": (
        """\
        def work(out, turn):
            for x in range(4):
                out.append(x)
                turn()
        """,
        [("    for x", "    start = len(out)\n    for x"), ("out.append(x)", "out.append(start + x)")],
        [0, 1, 2, 3],
        "the new code reads `start` there, which has no value in this call",
    ),
    "another_kind_of_loop": (
        """\
        def work(out, turn):
            for x in range(4):
                out.append(x)
                turn()
        """,
        [("for x in range(4):", "x = 0\n    while x < 4:"), ("out.append(x)", "x += 1; out.append(-x)")],
        [0, 1, 2, 3],
        "the loop it is in has no counterpart",
    ),
    "a_with_around_the_loop": (
        """\
        def work(out, turn):
            while len(out) < 4:
                out.append(1)
                turn()
        """,
        [
            (
                "    while len(out) < 4:\n        out.append(1)\n        turn()",
                "    with turn:\n        while len(out) < 4:\n            out.append(2)\n            turn()",
            )
        ],
        [1, 1, 1, 1],
        "the loop it is in has no counterpart",
    ),
}  # fmt: skip


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(load: Load, name: str) -> None:
    before, edits, expected, reason = REFUSED[name]
    program = load(before)
    call = Turns(program.module.work)
    call.next(1)
    report = program.sub(*edits)
    assert [each.qualname for each in report.pending] == ["work"]
    call.next(1)
    (pending,) = program.session.status()["pending"]
    assert reason in pending["reason"], pending
    assert pending["where"] == f"thread {call.thread.name}"
    call.finish()
    assert call.out == expected
    assert not program.session.status()["pending"]


@pytest.mark.skipif(MOVES, reason="where calls cannot be moved")
def test_calls_stay_where_they_cannot_be_moved(load: Load) -> None:
    before, edits, *_ = LOOPS["while_true"]
    program = load(before)
    call = Turns(program.module.work)
    call.next(2)
    report = program.sub(*edits)
    (pending,) = report.pending
    assert pending.qualname == "work" and "the next call takes the new code" in pending.reason
    call.finish()
    assert call.out == [("old", n) for n in range(1, 6)]
    assert not program.session.status()["pending"]


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
def test_a_loop_that_is_edited_four_hundred_times(load: Load) -> None:
    def version(number: int) -> str:
        more = "".join(f"        v{each} = each + {each}\n" for each in range(number % 40))
        return (
            "def work(out, turn):\n    each = 0\n    while True:\n        each += 1\n"
            f"{more}        out.append({number})\n        turn()\n        if each > 402:\n            return each\n"
        )

    program = load(version(0))
    call = Turns(program.module.work)
    for number in range(1, 401):
        program.edit(version(number))
        call.next()
    assert call.out == list(range(401))
    call.finish()
    assert call.result == 403


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
def test_eight_threads_in_one_loop(load: Load) -> None:
    def version(number: int) -> str:
        more = "".join(f"            v{each} = {each}\n" for each in range(number % 7))
        return (
            "import threading, time\nSTOP = threading.Event()\ndef work(out, number):\n    total = 0\n"
            "    while not STOP.is_set():\n        for each in range(50):\n"
            f"{more}            total += 1\n        out.append({number})\n        time.sleep(0.001)\n    return total, out\n"
        )

    program = load(version(0))
    outs: list[list[int]] = [[] for _ in range(8)]
    results: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda out: results.append(program.module.work(out, 1)), args=(out,), daemon=True
        )
        for out in outs
    ]
    for thread in threads:
        thread.start()
    for number in range(1, 31):
        program.edit(version(number))
        wait_until(lambda latest=number: all(out and out[-1] == latest for out in outs))
    program.module.STOP.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(results) == 8
    for total, out in results:
        assert total == 50 * len(out)
        assert out == sorted(out)


def wait_until(holds: Callable[[], bool]) -> None:
    import time

    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.001)


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_twenty_thousand_generators_leave_nothing_behind(load: Load) -> None:
    source = "def work(mark):\n    old = mark\n    while True:\n        yield mark\n"
    program = load(source)
    mark = object()
    references = sys.getrefcount(mark)
    generators = [program.module.work(mark) for _ in range(20_000)]
    for generator in generators:
        next(generator)
    program.edit("def work(mark):\n    old = mark\n    while True:\n        yield (mark, 'new')\n")
    assert {next(generator)[1] for generator in generators} == {"new"}
    program.edit(source.replace("old = mark", "pass"))
    assert {next(generator) for generator in generators} == {mark}
    del generators, generator
    assert sys.getrefcount(mark) == references


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
def test_what_the_old_version_held_is_given_free(load: Load) -> None:
    program = load(
        """\
        class Held:
            pass
        def work(out, turn, held):
            mine = held
            while True:
                turn()
                out.append(1)
                if len(out) > 3:
                    return
        """
    )
    held = program.module.Held()
    before = sys.getrefcount(held)
    call = Turns(program.module.work, held)
    call.next()
    during = sys.getrefcount(held)
    program.sub(("mine = held", "pass"))
    call.next()
    assert sys.getrefcount(held) == during - 1
    call.finish()
    del call
    assert sys.getrefcount(held) == before


@pytest.mark.skipif(not MONITORS, reason="3.12 and newer watch by sys.monitoring")
def test_beside_a_tracer_and_another_monitor(load: Load) -> None:
    """What others watch goes on in the moved call, and no number of a tool stays taken."""
    program = load(LOOPS["while_true"][0])
    monitoring: Any = sys.monitoring
    seen: list[int] = []
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "coverage")
    monitoring.register_callback(
        monitoring.COVERAGE_ID,
        monitoring.events.LINE,
        lambda code, line: seen.append(line) if code.co_name == "work" else None,
    )
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
    lines: list[int] = []

    def trace(frame: types.FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_name == "work" and event == "line":
            lines.append(frame.f_lineno)
        return trace

    def work(*arguments: Any) -> None:
        try:
            program.module.work(*arguments)
        finally:
            # CPython 3.12 takes a thread that ends under a trace function for one that is traced for ever.
            sys.settrace(None)

    try:
        threading.settrace(trace)
        call = Turns(work)
        threading.settrace(None)  # type: ignore[arg-type]
        call.next(2)
        program.edit(
            """\
            def work(out, turn):
                n = 0

                while True:
                    n += 1
                    out.append(("new", n))
                    turn()
                    if n == 5:
                        return n
            """
        )
        del seen[:], lines[:]
        call.finish()
    finally:
        monitoring.set_events(monitoring.COVERAGE_ID, 0)
        monitoring.free_tool_id(monitoring.COVERAGE_ID)
    assert call.out == [("old", 1), ("old", 2), ("old", 3), ("new", 4), ("new", 5)]
    assert {5, 6, 7, 8, 9} <= set(seen), seen
    assert {5, 6, 7, 8, 9} <= set(lines), lines
    assert not program.session.status()["pending"]
    assert [monitoring.get_tool(number) for number in (3, 4)] == [None, None]


@pytest.mark.skipif(not MONITORS, reason="3.12 and newer watch by sys.monitoring")
def test_no_number_for_a_tool_is_left(load: Load) -> None:
    program = load(LOOPS["while_true"][0])
    monitoring: Any = sys.monitoring
    for number in (3, 4):
        monitoring.use_tool_id(number, "somebody")
    try:
        call = Turns(program.module.work)
        report = program.sub(*LOOPS["while_true"][1])
        (pending,) = report.pending
        assert "sys.monitoring" in pending.reason
        call.finish()
    finally:
        for number in (3, 4):
            monitoring.free_tool_id(number)
    assert call.out == [("old", n) for n in range(1, 6)]


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
def test_somebody_holds_the_frame_and_its_locals(load: Load) -> None:
    program = load(
        """\
        import sys
        def work(out, turn):
            n = 0
            while n < 5:
                n += 1
                out.append((sys._getframe(), sys._getframe().f_locals["n"]))
                turn()
        """
    )
    call = Turns(program.module.work)
    frame = call.out[0][0]
    assert frame.f_locals["n"] == 1
    program.sub(("out.append((", "more = n * 2; out.append(("))
    call.next(2)
    if sys.version_info < (3, 11):
        # The call has got another frame there; this one shows what it was.
        assert frame.f_locals == {"out": call.out, "turn": call, "n": 1}
        new = call.out[2][0]
        assert new is not frame and new.f_back is frame.f_back
        assert new.f_locals["n"] == 3 and new.f_locals["more"] == 6
        assert new.f_code is program.module.work.__code__ and new.f_lineno == 7
        call.finish()
        assert [n for _, n in call.out] == [1, 2, 3, 4, 5]
        return
    assert frame.f_locals["n"] == 3 and frame.f_locals["more"] == 6
    assert frame.f_code is program.module.work.__code__ and frame.f_lineno == 7
    assert [n for _, n in call.out] == [1, 2, 3] and call.out[2][0] is frame
    call.finish()
    assert frame.f_locals["more"] == 10


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_generators_have_room_for_more_variables(load: Load) -> None:
    program = load(
        """\
        class Maker:
            def numbers(self):
                while True:
                    yield 1
            @staticmethod
            async def task(turn):
                while True:
                    await turn()
        def nested():
            def inner():
                while True:
                    yield 3
            return inner()
        """
    )
    generator, coroutine = program.module.Maker().numbers(), program.module.Maker.task(turn)
    nested = program.module.nested()
    assert (next(generator), coroutine.send(None), next(nested)) == (1, None, 3)
    for count in (3, 6):
        more = "; ".join(f"v{each} = {each}" for each in range(count))
        values = ", ".join(f"v{each}" for each in range(count))
        report = program.edit(
            f"""\
            class Maker:
                def numbers(self):
                    while True:
                        {more}
                        yield ({values})
                @staticmethod
                async def task(turn):
                    while True:
                        {more}
                        await turn()
            def nested():
                def inner():
                    while True:
                        {more}
                        yield ({values})
                return inner()
            """
        )
        assert not report.pending
        assert next(generator) == next(nested) == tuple(range(count))
        coroutine.send(None)
        assert f"v{count - 1}" in coroutine.cr_frame.f_locals


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
def test_a_held_frame_without_room_stays(load: Load) -> None:
    program = load(
        """\
        import sys
        def work(out, turn):
            n = 0
            while n < 5:
                n += 1
                out.append(sys._getframe())
                turn()
        """
    )
    call = Turns(program.module.work)
    many = "; ".join(f"v{each} = n" for each in range(60))
    report = program.sub(("turn()", f"{many}; turn()"))
    call.next(2)
    frame = call.out[0]
    assert "v59" not in frame.f_locals and report.status == "applied"
    if sys.version_info < (3, 11):
        # The call has got another one there, as large as it must be.
        assert not program.session.status()["pending"]
        assert call.finish() is None and call.out[-1].f_locals["v59"] == 5
        return
    (pending,) = program.session.status()["pending"]
    assert "its frame object is held, and has no room" in pending["reason"]
    call.finish()
    assert frame.f_locals["n"] == 5


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the code says the size from 3.12 on")
def test_all_generators_are_larger(load: Load) -> None:
    import tracemalloc

    program = load(
        "def numbers():\n    yield 1\nasync def task():\n    pass\nasync def items():\n    yield 1\n"
    )
    for make in (program.module.numbers, program.module.task, program.module.items):
        tracemalloc.start()
        made = [make() for _ in range(1000)]
        size = tracemalloc.get_traced_memory()[0] / 1000
        tracemalloc.stop()
        own = sys.getsizeof(made[0])
        for each in made:
            each.close() if hasattr(each, "close") else each.aclose().close()
        # `getsizeof` knows of the header of the collector and nothing of the 16 words; the list has one each.
        assert own + 128 <= size <= own + 128 + 16


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_codes_say_what_the_compiler_said(load: Load) -> None:
    source = "def numbers():\n    while True:\n        yield 1\nasync def task():\n    await task()\n"
    program = load(source)
    program.edit(source.replace("yield 1", "yield 2"))
    fresh: dict[str, Any] = {}
    exec(compile(program.file.read_text(), str(program.file), "exec", dont_inherit=True), fresh)
    for name in ("numbers", "task"):
        code, cold = getattr(program.module, name).__code__, fresh[name].__code__
        assert code == cold
        assert code.co_stacksize == cold.co_stacksize


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="3.14 keeps its tasks where nobody can read them")
def test_a_task_that_stays_is_named(load: Load) -> None:
    program = load(
        """\
        async def inner(event):
            return 1 + await event.wait()
        async def outer(event):
            return await inner(event)
        """
    )

    async def main() -> Any:
        event = asyncio.Event()
        task = asyncio.create_task(program.module.outer(event), name="the worker")
        await asyncio.sleep(0)
        report = program.sub(("return 1 + await event.wait()", "return await event.wait(), 2"))
        event.set()
        await task
        return report

    report = asyncio.run(main())
    (pending,) = report.pending
    assert (str(pending.qualname), pending.line) == ("inner", 2), pending
    assert "the worker" in str(report.to_dict()["pending"])


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_a_generator_without_room_stays(load: Load) -> None:
    program = load("def work():\n    while True:\n        yield 1\n")
    generator = program.module.work()
    assert next(generator) == 1
    many = "; ".join(f"v{each} = {each}" for each in range(60))
    report = program.edit(f"def work():\n    while True:\n        {many}\n        yield 2\n")
    if sys.version_info < (3, 11):
        # It gets another frame there, as large as it must be.
        assert not report.pending and next(generator) == 2
        return
    (pending,) = report.pending
    assert "needs more room than the generator has" in pending.reason
    assert next(generator) == 1 and next(program.module.work()) == 2
    report = program.edit("def work():\n    while True:\n        yield 3\n")
    assert not report.pending and next(generator) == 3


class Script(Program):
    """A module whose body runs in a thread of its own, turn by turn."""

    def __init__(self, session: hotswap.Session, folder: Path, source: str) -> None:
        self.session = session
        self.name = f"running_{next(_numbers)}"
        self.file = folder / f"{self.name}.py"
        self.file.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(self.name, self.file)
        assert spec is not None
        self.module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = self.module
        code = compile(self.file.read_text(), str(self.file), "exec", dont_inherit=True)

        def run(out: list[Any], turn: Turns) -> None:
            self.module.out, self.module.turn = out, turn
            exec(code, self.module.__dict__)

        self.call = Turns(run)
        hotswap.sync()

    def save(self, *replacements: tuple[str, str]) -> hotswap.Report:
        text = self.file.read_text()
        for old, new in replacements:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.file.write_text(text)
        return hotswap.sync()


SCRIPT = """\
START = 10
def helper(n):
    return ("old", n)
n = 0
while n < 6:
    n += 1
    out.append(helper(n))
    turn()
def later():
    return "old"
out.append(later())
"""


@pytest.fixture
def script(load: Load, tmp_path: Path) -> Callable[[str], Script]:
    session = load("").session
    return lambda source: Script(session, tmp_path, source)


def test_a_body_that_runs_is_updated_as_far_as_it_has_come(script: Callable[[str], Script]) -> None:
    """Nothing of it runs twice, and nothing before its time."""
    running = script(SCRIPT)
    running.call.next()
    report = running.save(
        ('("old", n)', '("new", n)'),
        ("START = 10", "START = 20"),
        ("out.append(helper(n))", "out.append((START, helper(n)))"),
        ('return "old"', 'return "new"'),
        ("out.append(later())", "out.append((later(), 2))"),
    )
    assert report.status == "applied", report
    (pending,) = report.pending
    assert pending.qualname == "<module>" and pending.line == 8
    assert running.module.START == 20 and not hasattr(running.module, "later")
    running.call.next(2)
    rest = running.call.out[2:4]
    assert rest == ([(20, ("new", 3)), (20, ("new", 4))] if MOVES else [("new", 3), ("new", 4)])
    running.call.finish()
    assert running.call.result is None
    assert running.call.out[-1] == (("new", 2) if MOVES else "old")
    report = hotswap.sync()
    assert not report.pending and not running.session.status()["pending"]
    assert running.module.later() == "new"
    # Everything is live now: another edit is a plain one.
    report = running.save(("START = 20", "START = 30"))
    assert report.status == "applied" and running.module.START == 30
    assert running.call.out.count(("new", 2)) <= 1


def test_a_statement_below_a_running_loop_waits(script: Callable[[str], Script]) -> None:
    running = script(SCRIPT)
    report = running.save(("out.append(later())", "out.append(later())\nout.append('added')"))
    assert report.status == ("applied" if MOVES else "held"), report
    assert running.call.out == [("old", 1)]
    running.call.finish()
    assert running.call.out[:6] == [("old", n) for n in range(1, 7)]
    hotswap.sync()
    assert running.call.out.count("added") == 1
    assert running.call.out[-2:] == ["old", "added"]


def test_a_body_that_runs_takes_several_saves(script: Callable[[str], Script]) -> None:
    running = script(SCRIPT)
    running.save(('("old", n)', '("newer", n)'))
    running.call.next()
    running.save(
        ("n = 0\n", "n = 0\nfactor = 2\n"), ("out.append(helper(n))", "out.append((factor, helper(n)))")
    )
    running.call.next()
    running.save(("factor = 2", "factor = 3"), ("n < 6", "n < 5"))
    running.call.finish()
    expected: list[Any] = [
        ("old", 1),
        ("newer", 2),
        (2, ("newer", 3)),
        (3, ("newer", 4)),
        (3, ("newer", 5)),
        "old",
    ]
    if not MOVES:
        expected = [("old", 1), *(("newer", n) for n in range(2, 7)), "old"]
    assert running.call.out == expected
    hotswap.sync()
    assert running.module.factor == 3


def test_a_broken_save_leaves_a_running_body_alone(script: Callable[[str], Script]) -> None:
    running = script(SCRIPT)
    assert running.save(("n += 1", "n += ")).status == "rejected"
    running.call.next()
    assert running.save(("n += ", "n += 1 ; m = n")).status in ("held", "applied")
    running.call.finish()
    assert running.call.out == [*(("old", n) for n in range(1, 7)), "old"]
    hotswap.sync()
    assert not running.session.status()["pending"]


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_suspended_inside_a_larger_expression_that_changed(load: Load) -> None:
    program = load(
        """\
        async def value(turn):
            await turn()
            return 1
        async def work(out, turn):
            out.append(10 + await value(turn))
            await turn()
            out.append("end")
        """
    )
    out: list[Any] = []
    coroutine = program.module.work(out, turn)
    coroutine.send(None)
    report = program.sub(("10 + await", "20 + await"), ('"end"', '"new end"'))
    (pending,) = report.pending
    assert pending.qualname == "work" and pending.line == 5
    assert "the new code has no place like the one it is suspended at" in pending.reason
    coroutine.send(None)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert out == [11, "end"]
    assert not program.session.status()["pending"]


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
def test_a_generator_that_stayed_is_freed_by_the_next_edit(load: Load) -> None:
    program = load("def work():\n    yield 1\n    yield 2\n    yield 3\n")
    generator = program.module.work()
    assert next(generator) == 1
    report = program.edit("def work():\n    yield 10\n    yield 15\n    yield 20\n    yield 30\n")
    assert len(report.pending) == 1
    report = program.edit("def work():\n    yield 1\n    yield 2\n    yield 33\n")
    assert not report.pending
    assert list(generator) == [2, 33]


def test_a_loop_in_the_guard_of_a_script(tmp_path: Path) -> None:
    """As `hotswap run` has it: the guard never runs again, and its loop goes on in the new source."""
    file = tmp_path / "main.py"
    file.write_text(
        textwrap.dedent(
            """\
            import sys
            def helper(n):
                return f"old helper {n}"
            if __name__ == "__main__":
                n = 0
                while n < 6:
                    n += 1
                    print("old", helper(n), flush=True)
                    sys.stdin.readline()
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "hotswap", "run", "main.py"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("HOTSWAP")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None

    def turn() -> str:
        process.stdin.write("\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    with process:
        assert process.stdout.readline().strip() == "old old helper 1"
        assert turn() == "old old helper 2"
        text = file.read_text()
        file.write_text(text.replace('print("old"', 'print("new"').replace("old helper", "new helper"))
        line = process.stderr.readline()
        assert "main.py" in line and "helper" in line, line
        assert turn() == ("new" if MOVES else "old") + " new helper 3"
        assert turn() == ("new" if MOVES else "old") + " new helper 4"
        rest = process.communicate("\n" * 5, timeout=PATIENCE)[0].splitlines()
        assert len(rest) == 2 and rest[-1].endswith("new helper 6"), rest
    assert process.returncode == 0


@pytest.mark.parametrize("edited", ["helper", "guard"])
def test_a_script_in_its_guard_is_pending_only_where_the_guard_changed(tmp_path: Path, edited: str) -> None:
    file = tmp_path / "main.py"
    file.write_text(
        textwrap.dedent(
            """\
            import pathlib
            import hotswap
            def helper():
                return "old"
            def main():
                file = pathlib.Path(__file__)
                # So that it is this report, and not one of the background.
                hotswap.watch().pause()
                file.write_text(file.read_text().replace(*EDIT))
                report = hotswap.sync()
                status = hotswap.watch().status()
                print(report.status, [each.qualname for each in report.pending], [each["qualname"] for each in status["pending"]])
            EDIT = {edit}
            if __name__ == "__main__":
                main()
                print("end")
            """
        ).replace(
            "{edit}", {"helper": "('\"o' 'ld\"', '\"new\"')", "guard": "('\"e' 'nd\"', '\"END\"')"}[edited]
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "hotswap", "run", "main.py"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("HOTSWAP")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    expected = {"helper": "applied [] []", "guard": "unchanged ['<module>'] ['<module>']"}[edited]
    assert done.stdout.splitlines() == [expected, "end"], done
