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
