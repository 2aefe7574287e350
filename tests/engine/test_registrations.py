"""Registries that take a name once: what a definition had entered is taken out before it runs again."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

SOURCE = """
TABLE = {{}}

class Entry:
    def __new__(cls, function):
        self = object.__new__(cls)
        self.function = function
        self.__name__ = function.__name__
        if self.__name__ in TABLE:
            raise KeyError(f"there is a {{self.__name__}} already")
        self = {entered}
        TABLE[function.__name__] = self
        return self

    def __call__(self, number):
        return self.function(number)

def by_default(function):
    def run(*arguments, function=function):
        return function(*arguments)
    run.__wrapped__ = function
    run.__name__ = function.__name__
    return run

def by_cell(function):
    return lambda *arguments: function(*arguments)

def around(times):
    return {around}

@around(1)
@Entry
def double(number):
    return 2 * number
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


@pytest.mark.parametrize("entered", ["self", "by_default(self)", "by_cell(self)"])
@pytest.mark.parametrize("around", ["by_default", "by_cell", "lambda function: function"])
def test_a_name_is_entered_again(folder: Path, entered: str, around: str) -> None:
    file = folder / f"entering_{next(_numbers)}.py"
    source = SOURCE.format(entered=entered, around=around)
    file.write_text(source)
    importlib.invalidate_caches()
    module: Any = importlib.import_module(file.stem)
    hotswap.sync()
    module.TABLE["live"] = live = object()
    first = module.TABLE["double"]
    file.write_text(source.replace("@around(1)", "@around(2)"))
    report = hotswap.sync()
    assert report.status == "applied", report
    assert list(module.TABLE) == ["double", "live"] and module.TABLE["live"] is live
    assert module.TABLE["double"] is not first
    assert module.double(4) == module.TABLE["double"](4) == 8
