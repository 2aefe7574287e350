"""Aliases such as `list[int]` and `int | str`, which every statement that writes them makes anew."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh start within the same second would take that of before for a source of the same length."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


TEXT = """\
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, Union
Content = {0}
Stream = AsyncIterable[Content]
Handlers = Mapping[str, Callable[[Content], int]]
Pairs = tuple[Content, ...]
Untouched = list[int]
def show():
    return [str(alias) for alias in (Content, Stream, Handlers, Pairs, Untouched)]
"""


@pytest.mark.parametrize("new", ["Union[str, int]", "dict[str, Any]", "int"])
def test_aliases_follow(new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"aliases_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(TEXT.format("Union[str, bytes]"))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    untouched = module.Untouched
    with hotswap.watch(tmp_path):
        file.write_text(TEXT.format(new))
        report = hotswap.sync()
    assert report.status == "applied"
    assert not [change for change in report.changes if change.action == "stale"]
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {name}; print({name}.show())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(module.show()) == cold.stdout.strip()
    assert module.Untouched is untouched


def test_what_the_program_put_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"aliases_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(TEXT.format("Union[str, bytes]"))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    module.Pairs = mine = tuple[str, ...]
    with hotswap.watch(tmp_path):
        file.write_text(TEXT.format("int"))
        report = hotswap.sync()
    assert module.Pairs is mine
    stale = [change.qualname for change in report.changes if change.action == "stale"]
    assert stale == ["Pairs"]


BASES = """\
from typing import Dict, Generic, List, Tuple, TypeVar
T = TypeVar("T")
Pairs = {0}
class Held(Pairs):
    def first(self):
        return self[0]
class Table({1}):
    pass
class Box(Generic[T]):
    pass
Kind = {2}
class Ints(Box[Kind]):
    pass
class Untouched(List[int]):
    pass
def show():
    return [(cls.__mro__, vars(cls).get("__orig_bases__")) for cls in (Held, Table, Box, Ints)]
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("List[Tuple[str, int]]", "Pairs", "int"), ("list[tuple[str, int]]", "Pairs", "int")),
        (("list[int]", "Pairs", "int"), ("list[str]", "Pairs", "str")),
        (("list[int]", "Dict[str, Pairs]", "int"), ("List[int]", "Dict[str, Pairs]", "List[int]")),
        (("List[int]", "Dict[str, Pairs]", "int"), ("list", "Dict[str, Pairs]", "int")),
    ],
    ids=["builtin", "argument", "inside", "plain class"],
)
def test_classes_follow_the_alias_that_they_name_as_base(
    before: tuple[str, str, str], after: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"aliases_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(BASES.format(*before))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    kept, untouched, box = module.Held([(1, 2)]), module.Untouched, module.Box
    with hotswap.watch(tmp_path):
        file.write_text(BASES.format(*after))
        report = hotswap.sync()
    assert report.status == "applied", report.error
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {name}; print({name}.show())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(module.show()) == cold.stdout.strip()
    assert type(kept) is module.Held and kept.first() == (1, 2)
    assert module.Untouched is untouched and module.Box is box
    assert not {"Box", "Untouched"} & {change.qualname for change in report.changes}
