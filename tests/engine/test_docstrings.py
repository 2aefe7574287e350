"""Docstrings to which a decorator or a hook has added something."""

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

SOURCE = '''
import inspect

def deprecated(function):
    function.__doc__ = HOW(function.__doc__)
    return function

@deprecated
def work():
    """Works.

    Always.

    It does its
    the work.

    Fast.
    """
'''
WAYS = {
    "at the end": "lambda doc: doc + '\\n    .. deprecated:: 2\\n'",
    "cleaned": "lambda doc: inspect.cleandoc(doc) + '\\n\\n.. deprecated:: 2\\n'",
    "below the summary": "lambda doc: doc.replace('\\n', '\\n\\n    Deprecated.\\n', 1)",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def load(file: Path, source: str) -> Any:
    file.write_text(source)
    return importlib.import_module(file.stem)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_added_stays_when_the_source_changes(folder: Path, way: str) -> None:
    before = SOURCE.replace("HOW", f"({WAYS[way]})")
    after = before.replace("does its\n    the work", "does\n    the work")
    file = folder / f"documented{next(_numbers)}.py"
    module = load(file, before)
    hotswap.sync()
    file.write_text(after)
    report = hotswap.sync()
    assert report.status == "applied", report
    fresh = load(folder / f"documented{next(_numbers)}.py", after)
    assert module.work.__doc__ == fresh.work.__doc__


def test_one_that_the_program_replaced_stays(folder: Path) -> None:
    before = SOURCE.replace("HOW", "(lambda doc: 'Something else.')")
    file = folder / f"documented{next(_numbers)}.py"
    module = load(file, before)
    hotswap.sync()
    file.write_text(before.replace("does its\n    the work", "does\n    the work"))
    assert hotswap.sync().status == "applied"
    assert module.work.__doc__ == "Something else."
