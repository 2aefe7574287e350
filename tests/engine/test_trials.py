"""Statements whose effects are told by watching them while they run once more."""

from __future__ import annotations

import importlib
import itertools
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def load(folder: Path, source: str) -> tuple[Path, Any]:
    file = folder / f"on_trial_{next(_numbers)}.py"
    file.write_text(source)
    module = importlib.import_module(file.stem)
    hotswap.sync()
    return file, module


LABELS = """
class Meta(type):
    def __setattr__(cls, name, value):
        if name in cls.__dict__.get("FIXED", ()):
            raise AttributeError(name)
        super().__setattr__(name, value)


class First(metaclass=Meta):
    pass


class Second(metaclass=Meta):
    pass


PLACES = globals()
NAMES = {}
for name in NAMES:
    setattr(PLACES[name], "{}", "elsewhere")
"""


def test_a_label_is_set_through_the_setter_of_a_metaclass(folder: Path) -> None:
    file, module = load(folder, LABELS.format(["First"], "__module__"))
    file.write_text(LABELS.format(["First", "Second"], "__module__"))
    hotswap.sync()
    assert module.Second.__module__ == "elsewhere"


def test_another_attribute_is_not(folder: Path) -> None:
    file, module = load(folder, LABELS.format(["First"], "other"))
    file.write_text(LABELS.format(["First", "Second"], "other"))
    report = hotswap.sync()
    assert not hasattr(module.Second, "other")
    assert "stale" in [change.action for change in report.changes]


WARNED = """
import warnings

VERSION = {}


class Old(DeprecationWarning):
    pass


class Version:
    def __init__(self, text):
        self.parts = text.split(".")
        warnings.warn({})


PARTS = tuple(Version(VERSION).parts)
"""
CALLS = {
    "by place": "f'{text} is old', DeprecationWarning, 2",
    "by name": "'it is old', stacklevel=2, category=DeprecationWarning",
    "of its own": "'it is old', Old",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_warning_that_is_ignored_does_nothing(folder: Path, call: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("error", category=DeprecationWarning, module="of_nobody")
        file, module = load(folder, WARNED.format("'1.0'", call))
        file.write_text(WARNED.format("'2.0'", call))
        hotswap.sync()
    assert module.PARTS == ("2", "0")


@pytest.mark.parametrize(
    "call",
    [
        "'it is old', UserWarning",
        "'it is old'",
        "DeprecationWarning('old')",
        "'old', type('W', (Warning,), {})",
    ],
)
def test_a_warning_that_may_be_seen_is_not_given_again(folder: Path, call: str) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)
        file, module = load(folder, WARNED.format("'1.0'", call))
        seen.clear()
        file.write_text(file.read_text().replace("'1.0'", "'2.0'"))
        report = hotswap.sync()
    assert (module.PARTS, seen) == (("1", "0"), [])
    assert "stale" in [change.action for change in report.changes]


@pytest.mark.parametrize("lost", ["line", "module", "message"])
def test_a_filter_for_some_warnings_only_may_leave_this_one(folder: Path, lost: str) -> None:
    narrow: dict[str, Any] = {
        "line": {"lineno": 9},
        "module": {"module": "of_nobody"},
        "message": {"message": "x"},
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=DeprecationWarning, **narrow[lost])
        file, module = load(folder, WARNED.format("'1.0'", CALLS["by place"]))
        seen.clear()
        file.write_text(file.read_text().replace("'1.0'", "'2.0'"))
        hotswap.sync()
    assert (module.PARTS, seen) == (("1", "0"), [])


VERSIONS = """\
import json
version_json = \'\'\'
{"version": "1.0", "date": null}
\'\'\'
def get_versions():
    return json.loads(version_json)
"""
USER = """\
from {0} import get_versions
__version__ = get_versions()["version"]
del get_versions
"""


def test_what_reads_a_text_by_way_of_matches_follows(folder: Path) -> None:
    """`json` asks a match for its end."""
    file, versions = load(folder, VERSIONS)
    _, module = load(folder, USER.format(versions.__name__))
    file.write_text(VERSIONS.replace("1.0", "1.1"))
    report = hotswap.sync()
    assert module.__version__ == "1.1", report
