"""Running calls that are moved through the trace function of their thread, as CPython up to 3.11 needs it."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import pytest
from test_running import LOOPS, PATIENCE, Load, Turns, load

__all__ = ["load"]

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 and later watch by sys.monitoring")

NEW = """\
def work(out, turn):
    n = 0

    while True:
        n += 1
        out.append(("new", n))
        turn()
        if n == 5:
            return n
"""
# Where a thread's state has its trace function (Include/cpython/pystate.h).
TRACE_FUNCTION = 72 if sys.version_info >= (3, 11) else 64


class State:
    """The state of the thread that makes this."""

    def __init__(self) -> None:
        get = ctypes.pythonapi.PyThreadState_Get
        get.restype = ctypes.c_void_p
        self.address: int = get()

    def is_traced(self) -> bool:
        return bool(ctypes.c_void_p.from_address(self.address + TRACE_FUNCTION).value)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def watching(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[State]]:
    """The function, which notes the state of its thread first."""
    states: list[State] = []

    def run(*arguments: Any) -> Any:
        states.append(State())
        return function(*arguments)

    return run, states


def test_nobody_is_traced_before_and_afterwards(load: Load) -> None:
    program = load(LOOPS["while_true"][0])
    run, states = watching(lambda *arguments: program.module.work(*arguments))
    call = Turns(run)
    call.next(2)
    assert not states[0].is_traced()
    program.edit(NEW)
    assert states[0].is_traced()
    call.next()
    assert call.out == [("old", 1), ("old", 2), ("old", 3), ("new", 4)]
    assert not states[0].is_traced()
    call.finish()


@pytest.mark.parametrize("when", ["before", "after the edit"])
def test_the_trace_function_of_a_thread_goes_on(load: Load, when: str) -> None:
    program = load(LOOPS["while_true"][0])
    events: list[tuple[str, str, int]] = []
    seen: list[Any] = []

    def trace(frame: types.FrameType, event: str, _: object) -> Any:
        events.append((frame.f_code.co_name, event, frame.f_lineno))
        return trace

    def turn() -> None:
        if when != "before" and turns == [2]:
            sys.settrace(trace)
            frame: Any = sys._getframe()
            while frame is not None:
                frame.f_trace = trace
                frame = frame.f_back
        seen.append(sys.gettrace())

    turns: list[int] = []

    def run(out: list[Any], thread: Turns) -> Any:
        def each() -> None:
            thread()
            turns[:] = [len(out) - 1]
            turn()

        if when == "before":
            sys.settrace(trace)
        return program.module.work(out, each)

    call = Turns(run)
    call.next(2)
    program.edit(NEW)
    del events[:]
    call.next()
    # Who has set another function meanwhile is traced again when somebody looks.
    assert when == "before" or program.session.status()["pending"]
    call.finish()
    fourth = "new" if when == "before" else "old"
    assert call.out == [("old", 1), ("old", 2), ("old", 3), (fourth, 4), ("new", 5)]
    assert seen[-2:] == [trace, trace]
    lines = [line for name, event, line in events if (name, event) == ("work", "line")]
    assert {5, 6, 7, 8, 9} <= set(lines), lines
    # In the order of the new code, from the head of its loop on.
    assert lines[-5:] == [5, 6, 7, 8, 9], lines
    assert not {"carrier", "function"} & {name for name, _, _ in events}
    assert not program.session.status()["pending"]


def test_a_profile_does_not_see_the_move(load: Load) -> None:
    program = load(LOOPS["while_true"][0])
    calls: list[tuple[str, str]] = []

    def profile(frame: types.FrameType, event: str, _: object) -> None:
        if event in ("call", "return"):
            calls.append((frame.f_code.co_name, event))

    def run(out: list[Any], turn: Turns) -> Any:
        def each() -> None:
            turn()

        sys.setprofile(profile)
        try:
            return program.module.work(out, each)
        finally:
            sys.setprofile(None)

    call = Turns(run)
    call.next(2)
    program.edit(NEW)
    call.next()
    call.finish()
    assert call.out[-1] == ("new", 5)
    assert [event for name, event in calls if name == "each"] == ["call", "return"] * 5
    assert not {"function", "carrier"} & {name for name, _ in calls}
    assert calls.count(("work", "return")) == 1


def test_a_loop_that_does_not_come_round_is_not_traced_for_ever(load: Load) -> None:
    program = load(
        """\
        def work(out, turn, inner):
            for n in range(1000):
                out.append(("old", n))
                inner()
                turn()
        """
    )
    released = threading.Event()
    entered: list[bool] = []
    traced: list[bool] = []

    def inner() -> None:
        if not released.is_set():
            entered.append(True)
        while not released.is_set():
            if not traced and states[0].is_traced():
                traced.append(True)

    run, states = watching(lambda out, turn, inner: program.module.work(out, turn, inner))
    released.set()
    call = Turns(run, inner)
    released.clear()
    call.go.release()
    # Before that it stands between two rounds, and moves at once.
    until(lambda: bool(entered))
    program.sub(('"old"', '"new"'))
    # By the time that the edit is reported it may be over.
    until(lambda: bool(traced))
    until(lambda: not states[0].is_traced())
    released.set()
    call._wait()
    for _ in range(100):
        program.session.status()
        call.next()
        if call.out[-1][0] == "new":
            break
    assert call.out[-1][0] == "new", call.out
    assert not states[0].is_traced()


def test_the_stack_of_a_thread_does_not_run_out(load: Load) -> None:
    """The loop gets more variables and less, again and again; its room is used again."""
    program = load(
        """\
        def work(out, turn):
            while True:
                out.append(0)
                turn()
        """
    )
    call = Turns(program.module.work)
    for edit in range(1, 200):
        names = ", ".join(f"name_{number}" for number in range(edit % 37 + 1))
        values = ", ".join(str(number) for number in range(edit % 37 + 1))
        program.edit(
            f"""\
            def work(out, turn):
                while True:
                    {names}, = ({values},)
                    out.append({edit})
                    turn()
            """
        )
        call.next()
        assert call.out[-1] == edit
