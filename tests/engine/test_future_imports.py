"""`from __future__ import annotations`, added to a running module or taken away: what a start would give."""

from __future__ import annotations

import importlib
import itertools
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

FUTURE = "from __future__ import annotations\n"

SOURCE = """
import sys

calls = []

if sys.maxsize > 1:
    def chosen(x: int) -> str:
        def inner(y: int) -> int:
            return y
        return inner

    class Chosen:
        field: int = 1

        def method(self, x: int) -> str:
            return x

    if len(sys.path) >= 0:
        def deep(x: int) -> str:
            return x
    calls.append("if")
else:
    def chosen(x: float) -> bytes:
        return x

try:
    def tried(x: int, *, y: int = 2) -> "str":
        return x
except ValueError:
    def tried(x: float) -> bytes:
        return x

for number in range(2):
    calls.append(lambda x=number: x)

with open(__file__):
    def opened(x: int) -> str:
        return x
    calls.append("with")


class Outer:
    class Inner:
        def method(self, x: int) -> str:
            return lambda: x

    key = lambda self: 1


def apply(function, *more):
    return function


def defaulted(key=lambda: 1, *, other: int = 2):
    return key


held = apply(lambda: sys.maxsize, calls)
table = {"a": lambda x=1: x, "b": [lambda y: (lambda: y)]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def codes_inside(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_inside(constant)


def functions(module: Any) -> dict[str, Any]:
    return {
        "chosen": module.chosen,
        "made by chosen": module.chosen(1),
        "Chosen.method": module.Chosen.method,
        "deep": module.deep,
        "tried": module.tried,
        "looped": module.calls[1],
        "opened": module.opened,
        "Outer.Inner.method": module.Outer.Inner.method,
        "Outer.key": module.Outer.key,
        "defaulted": module.defaulted,
        "default": module.defaulted(),
        "held": module.held,
        "table a": module.table["a"],
        "table b": module.table["b"][0],
    }


def flags(module: Any) -> dict[str, list[int]]:
    return {
        name: [code.co_flags for code in codes_inside(function.__code__)]
        for name, function in functions(module).items()
    }


def annotations(module: Any) -> dict[str, Any]:
    # What a `with` runs is not looked at statement by statement.
    found = {
        name: function.__annotations__ for name, function in functions(module).items() if name != "opened"
    }
    return {**found, "Chosen": module.Chosen.__annotations__}


def edited(folder: Path, before: str, after: str) -> tuple[Any, Any]:
    """The module after the edit, and one that was started with the new source."""
    file = folder / f"futures_{next(_numbers)}.py"
    file.write_text(before)
    module: Any = importlib.import_module(file.stem)
    hotswap.sync()
    known = functions(module)
    file.write_text(after)
    report = hotswap.sync()
    assert report.error is None
    assert all(
        function is known[name] for name, function in functions(module).items() if name != "made by chosen"
    )
    fresh: Any = types.ModuleType(file.stem)
    fresh.__file__ = str(file)
    exec(compile(after, str(file), "exec", dont_inherit=True), vars(fresh))
    return module, fresh


@pytest.mark.parametrize(("before", "after"), [(SOURCE, FUTURE + SOURCE), (FUTURE + SOURCE, SOURCE)])
def test_functions_wherever_they_stand_follow_a_future_import(folder: Path, before: str, after: str) -> None:
    module, fresh = edited(folder, before, after)
    assert flags(module) == flags(fresh)
    assert annotations(module) == annotations(fresh)
    assert len(module.calls) == 4


def test_an_edit_in_a_block_comes_along(folder: Path) -> None:
    module, fresh = edited(folder, SOURCE, FUTURE + SOURCE.replace("def deep(x: int)", "def deep(x: float)"))
    assert flags(module) == flags(fresh)
    assert annotations(module) == annotations(fresh)
