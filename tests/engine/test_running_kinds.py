"""Loops of every kind that run, or are asleep, while their function is edited."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from test_running import MOVES, MOVES_SUSPENDED, PATIENCE, Load, Turns, load

__all__ = ["load"]

# What is iterated over, what its items are, and whether it is made in the call itself.
ITERABLES = {
    "list": ("[1, 2, 3, 4, 5]", [1, 2, 3, 4, 5]),
    "tuple": ("(1, 2, 3, 4, 5)", [1, 2, 3, 4, 5]),
    "range": ("range(1, 6)", [1, 2, 3, 4, 5]),
    "enumerate": ("enumerate('abcde')", [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")]),
    "zip": ("zip('abcde', range(5))", [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)]),
    "map": ("map(abs, range(5))", [0, 1, 2, 3, 4]),
    "keys": ("dict.fromkeys('abcde', 1).keys()", ["a", "b", "c", "d", "e"]),
    "values": ("dict(zip('abcde', range(5))).values()", [0, 1, 2, 3, 4]),
    "items": ("dict(zip('abc', range(3))).items()", [("a", 0), ("b", 1), ("c", 2)]),
    "generator": ("generator()", [0, 10, 20, 30, 40]),
    "generator expression": ("(10 * n for n in range(5))", [0, 10, 20, 30, 40]),
    "two-argument iter": ("iter([1, 2, 3, 4, 0].copy().pop, 1)", [0, 4, 3, 2]),
    "file": ("open(__file__ + '.txt')", ["1\n", "2\n", "3\n", "4\n", "5\n"]),
    "string": ("'abcde'", ["a", "b", "c", "d", "e"]),
    "reversed": ("reversed([1, 2, 3, 4])", [4, 3, 2, 1]),
}


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
@pytest.mark.parametrize("kind", ITERABLES)
def test_the_iterator_goes_on_where_it_was(load: Load, kind: str) -> None:
    made, items = ITERABLES[kind]
    program = load(
        f"""\
        def generator():
            for n in range(5):
                yield 10 * n
        def work(out, turn):
            first = None
            for item in {made}:
                out.append(("old", item))
                turn()
            else:
                out.append("old end")
        """
    )
    Path(program.module.__file__ + ".txt").write_text("1\n2\n3\n4\n5\n")
    call = Turns(program.module.work)
    report = program.sub(
        ('out.append(("old", item))', 'second = item; out.append(("new", first, (lambda: second)()))'),
        ("old end", "new end"),
    )
    call.finish()
    rest = [("new", None, item) for item in items[1:]]
    assert call.out == [("old", items[0]), *rest, "new end"], report.to_dict()


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
@pytest.mark.parametrize("seconds", [0, 10])
def test_a_loop_that_is_asleep_in_c_takes_the_edit_when_it_wakes(load: Load, seconds: int) -> None:
    """CPython up to 3.11 traces the thread for two seconds at first, which must not matter."""
    source = """\
        import os
        def work(out, turn, pipe):
            while True:
                word = os.read(pipe, 1)
                out.append(("old", word))
                turn()
                if word == b"e":
                    return
        """
    program = load(source)
    reading, writing = os.pipe()
    out: list[Any] = []
    thread = threading.Thread(target=program.module.work, args=(out, lambda: None, reading), daemon=True)
    thread.start()

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(out) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(out) >= count

    os.write(writing, b"a")
    wait_for(1)
    report = program.sub(('("old", word)', '("new", word)'))
    (pending,) = report.pending
    assert "it takes the new code at the next round of its loop" in pending.reason
    asleep = time.monotonic() + seconds
    while time.monotonic() < asleep:
        assert len(program.session.status()["pending"]) == 1
        time.sleep(0.25)
    # This round began in the old code.
    os.write(writing, b"b")
    wait_for(2)
    os.write(writing, b"ce")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert out == [("old", b"a"), ("old", b"b"), ("new", b"c"), ("new", b"e")]
    assert not program.session.status()["pending"]
    os.close(reading)
    os.close(writing)


@pytest.mark.skipif(not MOVES_SUSPENDED, reason="suspended calls are moved up to CPython 3.14")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="task groups came with 3.11")
def test_the_tasks_of_a_group_go_on_in_the_new_code(load: Load) -> None:
    program = load(
        """\
        import asyncio
        class Ticks:
            def __init__(self, turn):
                self.turn, self.n = turn, 0
            async def __aenter__(self):
                return self
            async def __aexit__(self, *_):
                pass
            def __aiter__(self):
                return self
            async def __anext__(self):
                self.n += 1
                await self.turn()
                return self.n
        async def ticking(out, turn):
            async with Ticks(turn) as ticks:
                async for n in ticks:
                    out.append(("old", n))
                    if n == 4:
                        return "old"
        async def waiting(out, turn):
            n = 0
            while n < 4:
                n += 1
                out.append(("old", n))
                await turn()
            return "old"
        async def work(out, turn):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each(out, turn)) for each in (ticking, ticking, waiting)]
            return "old group", [task.result() for task in tasks]
        """
    )

    async def main() -> tuple[list[Any], Any, Any]:
        out: list[Any] = []
        turns = asyncio.Condition()
        begun = 0

        async def turn() -> None:
            nonlocal begun
            begun += 1
            async with turns:
                await turns.wait()

        async def all_wait(count: int) -> None:
            while begun < count:
                await asyncio.sleep(0)
            await asyncio.sleep(0)

        work = asyncio.create_task(program.module.work(out, turn))
        await all_wait(3)
        async with turns:
            turns.notify_all()
        await all_wait(6)
        text = program.file.read_text().replace("old", "new")
        report = program.edit(textwrap.dedent(text))
        while not work.done():
            async with turns:
                turns.notify_all()
            await asyncio.sleep(0)
        return out, work.result(), report

    out, result, report = asyncio.run(main())
    assert result == ("new group", ["new", "new", "new"]), report.to_dict()
    assert not report.pending
    assert sorted(out[:4]) == [("old", 1), ("old", 1), ("old", 1), ("old", 2)]
    assert {word for word, _ in out[4:]} == {"new"} and len(out) == 12
