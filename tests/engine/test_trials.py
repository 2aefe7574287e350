"""Statements whose effects are told by watching them while they run once more."""

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
