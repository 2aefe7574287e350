"""Functions in elements of a display that stay when another element is edited: their lines are those of a start."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

SOURCE = """
def chosen(x):
    return x

TABLE = {
    "a": lambda x: x,
    "b": lambda x: (x, 1),
    "inner": {"c": lambda x: x,
              "d": 1},
    "list": [lambda x: (x,
                        lambda y: y), 2],
    "e": lambda x: x,
}
FIRST, SECOND = 1, [lambda x: x]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def functions(value: Any) -> Iterator[Any]:
    if callable(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from functions(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from functions(item)


def places(module: dict[str, Any]) -> list[Any]:
    found = functions((module["TABLE"], module["SECOND"]))
    codes = [function.__code__ for function in found]
    codes += [inner for code in codes for inner in code.co_consts if hasattr(inner, "co_lines")]
    return [(code.co_name, code.co_firstlineno, [line for *_, line in code.co_lines()]) for code in codes]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="a code object says no lines")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lambda x: (x, 1)", "chosen"),
        ('    "a": lambda x: x,\n', ""),
        ('"d": 1', '"d": 2'),
        ('"d": 1', '"d": [\n1]'),
        ("y), 2]", "y), 3]"),
        ("FIRST, SECOND = 1", "FIRST, SECOND = 2"),
    ],
)
@pytest.mark.parametrize("above", ["", "# a comment\n\n"])
def test_functions_in_kept_elements_move_along(folder: Path, old: str, new: str, above: str) -> None:
    file = folder / f"elements_{next(_numbers)}.py"
    file.write_text(SOURCE)
    module = importlib.import_module(file.stem)
    hotswap.sync()
    kept = module.TABLE["e"]
    after = above + SOURCE.replace(old, new)
    file.write_text(after)
    assert hotswap.sync().error is None
    assert module.TABLE["e"] is kept
    fresh: dict[str, Any] = {"__name__": file.stem}
    exec(compile(after, str(file), "exec", dont_inherit=True), fresh)
    assert places(vars(module)) == places(fresh)
