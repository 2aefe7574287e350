"""What `sys.monitoring` leaves behind in the code that a running call goes on in, and whom it tells."""

from __future__ import annotations

import dis
import sys
import types
from typing import Any

import pytest
from test_running import LOOPS, MONITORS, Load, Turns, load

__all__ = ["load"]

pytestmark = pytest.mark.skipif(not MONITORS, reason="3.12 and later watch by sys.monitoring")

SOURCE = """\
def work(out, turn):
    n = 0
    while n < 5:
        n += 1
        last = n
        out.append(("old", last, n))
        turn()
"""


def pairs(code: types.CodeType) -> list[tuple[int, str]]:
    """The instructions that the interpreter runs two at a time; CPython 3.12 pairs them where the code is made."""
    found = dis.get_instructions(code, adaptive=True)
    return [
        (each.offset, each.opname)
        for each in found
        if each.opname.count("_FAST") + each.opname.count("__") > 1
    ]


def test_the_new_code_of_a_moved_call_is_what_compiling_makes_of_it(load: Load) -> None:
    program = load(SOURCE)
    call = Turns(program.module.work)
    call.next(2)
    program.sub(('("old", last, n)', '("new", last, n)'))
    call.next()
    assert call.out[-1] == ("new", 4, 4)
    assert not program.session.status()["pending"]
    names: dict[str, Any] = {}
    exec(compile(program.file.read_text(), str(program.file), "exec"), names)
    assert pairs(program.module.work.__code__) == pairs(names["work"].__code__) != []
    call.finish()


@pytest.mark.parametrize("when", ["before the edit", "after the edit"])
def test_a_tool_for_all_code_is_told_of_the_moved_call(load: Load, when: str) -> None:
    program = load(LOOPS["while_true"][0])
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    lines: list[int] = []

    def note(code: types.CodeType, number: int) -> None:
        if code.co_filename == str(program.file):
            lines.append(number)

    call = Turns(program.module.work)
    call.next(2)
    monitoring.use_tool_id(monitoring.PROFILER_ID, "test")
    try:
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.LINE, note)
        if when == "before the edit":
            monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.LINE)
        program.sub(('("old", n)', '("new", n)'))
        monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.LINE)
        call.next()
        lines.clear()
        call.next()
        assert call.out[-2:] == [("new", 4), ("new", 5)]
        # The line of the `while` itself is told of by some versions only.
        assert [line for line in lines if line != 3] == [7, 4, 5, 6]
    finally:
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        monitoring.free_tool_id(monitoring.PROFILER_ID)
        call.finish()
