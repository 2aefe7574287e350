"""A function is found wherever it is hidden: an edit reaches every one that the program made of its definition.

The search by name ends early only where the count of references says that nobody else holds the code
(docs/how-it-works.md, "Find the functions"). Each place here holds a function that no name leads to, so that
the count alone can tell of it.
"""

# ruff: noqa: B008 -- the default of an argument is where each thing is kept.
from __future__ import annotations

import array
import collections
import concurrent.futures
import contextvars
import functools
import gc
import itertools
import queue
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

SOURCE = """\
def make():
    def inner(*_):
        return {0}
    return inner

def plain(*_):
    return {0}

class Thing:
    def method(self, *_):
        return {0}

short = lambda *_: {0}
"""

Place = Callable[[Any], Callable[[], Any]]
"""Hides a function, and returns how to call it."""


def in_generator(function: Any) -> Iterator[Any]:
    hidden = function
    while True:
        yield hidden()


async def in_coroutine(function: Any) -> Any:
    return function()


def in_cell(function: Any) -> Callable[[], Any]:
    return lambda: function()


def held_by_generator(function: Any) -> Callable[[], Any]:
    generator = in_generator(function)
    next(generator)
    return lambda: next(generator)


def held_by_coroutine(function: Any) -> Callable[[], Any]:
    coroutine = in_coroutine(function)

    def run() -> Any:
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value

    return run


def held_by_cycle(function: Any) -> Callable[[], Any]:
    cycle = itertools.cycle([function])
    next(cycle)
    return lambda: next(cycle)()


def held_by_tee(function: Any) -> Callable[[], Any]:
    first, second = itertools.tee([function])
    next(first)
    return lambda: next(second)()


def held_by_queue(function: Any) -> Callable[[], Any]:
    things: queue.SimpleQueue[Any] = queue.SimpleQueue()
    things.put(function)
    return lambda: things.get()()


def held_by_context(function: Any) -> Callable[[], Any]:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("held")
    context = contextvars.copy_context()
    context.run(variable.set, function)
    return lambda: context[variable]()


def held_by_future(function: Any) -> Callable[[], Any]:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_result(function)
    return lambda: future.result()()


def held_by_exception(function: Any) -> Callable[[], Any]:
    error = ValueError(function)
    return lambda: error.args[0]()


def held_by_traceback(function: Any) -> Callable[[], Any]:
    def fail(hidden: Any) -> None:
        raise ValueError

    try:
        fail(function)
    except ValueError as error:
        frame = error.__traceback__.tb_next.tb_frame  # type: ignore[union-attr]
    return lambda: frame.f_locals["hidden"]()


def held_by_weak_reference(function: Any) -> Callable[[], Any]:
    target = functools.partial(print)
    reference = weakref.ref(target, function)
    # The callback goes with what it waits for.
    return lambda: reference() is target and reference.__callback__(None)  # type: ignore[misc]


def held_by_slots(function: Any) -> Callable[[], Any]:
    class Slotted:
        __slots__ = ("held",)

    thing = Slotted()
    thing.held = function  # type: ignore[attr-defined]
    return lambda: thing.held()  # type: ignore[attr-defined]


def held_by_frozen_heap(function: Any) -> Callable[[], Any]:
    box = [function]
    gc.freeze()
    return lambda: box[0]()


PLACES: dict[str, Place] = {
    "list": lambda f: [f][0].__call__,
    "deque": lambda f: lambda d=collections.deque([f]): d[0](),
    "nested frozensets": lambda f: lambda s=frozenset([frozenset([(f,)])]): next(iter(next(iter(s))))[0](),
    "map": lambda f: lambda m=map(f, [1]): next(m),
    "partial": lambda f: functools.partial(f, 1),
    "bound method": lambda f: types.MethodType(f, array.array("b", [1])),
    "staticmethod": lambda f: lambda s=staticmethod(f): s.__func__(),
    "property": lambda f: lambda p=property(f): p.fget(),
    "lru_cache": lambda f: lambda c=functools.lru_cache(1)(f): c.__wrapped__(),
    "iterator of a dict": lambda f: lambda i=iter({1: f}.values()): next(i)(),
    "reversed": lambda f: lambda i=reversed([f]): next(i)(),
    "zip": lambda f: lambda i=zip([f]): next(i)[0](),
    "chain": lambda f: lambda i=itertools.chain([f]): next(i)(),
    "repeat": lambda f: lambda i=itertools.repeat(f): next(i)(),
    "iterator with an end": lambda f: lambda i=iter(f, None): next(i),
    "proxy": lambda f: lambda p=types.MappingProxyType({1: f}): p[1](),
    "cell": in_cell,
    "generator": held_by_generator,
    "coroutine": held_by_coroutine,
    "cycle": held_by_cycle,
    "tee": held_by_tee,
    "queue": held_by_queue,
    "context": held_by_context,
    "future": held_by_future,
    "exception": held_by_exception,
    "traceback": held_by_traceback,
    "weak reference": held_by_weak_reference,
    "slots": held_by_slots,
    "frozen heap": held_by_frozen_heap,
}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "hiding.py").write_text(SOURCE.format(1))
    with hotswap.watch(tmp_path) as session:
        session.pause()
        yield __import__("hiding")
    gc.unfreeze()
    sys.modules.pop("hiding", None)


def copy_of(function: Any) -> Any:
    """A function of the same code that nobody knows."""
    return types.FunctionType(function.__code__, function.__globals__, "copy", None, function.__closure__)


KINDS: dict[str, Callable[[Any], Any]] = {
    "inner": lambda module: module.make(),
    "function": lambda module: copy_of(module.plain),
    "method": lambda module: functools.partial(copy_of(module.Thing.method), None),
    "lambda": lambda module: copy_of(module.short),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_an_edit_reaches(place: str, kind: str, module: types.ModuleType) -> None:
    call = PLACES[place](KINDS[kind](module))
    Path(str(module.__file__)).write_text(SOURCE.format(2))
    report = hotswap.sync()
    assert report.status == "applied", report
    assert call() == 2, report


def test_an_edit_reaches_all_at_once(module: types.ModuleType) -> None:
    calls = {
        (place, kind): hide(make(module)) for place, hide in PLACES.items() for kind, make in KINDS.items()
    }
    Path(str(module.__file__)).write_text(SOURCE.format(2))
    assert hotswap.sync().status == "applied"
    assert [key for key, call in calls.items() if call() != 2] == []
