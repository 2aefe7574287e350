"""A function that several classes share, and that each names after itself: the last of a start has the word."""

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
def shared(self):
    return self

def named(cls):
    shared.__qualname__ = f"{cls.__qualname__}.shared"
    shared.__module__ = cls.__module__
    shared.__doc__ = f"Of {cls.__qualname__}."
    made = type(cls)(cls.__name__, cls.__bases__, {**vars(cls), "shared": shared, "WIDTH": cls.WIDTH})
    return made

@named
class First:
    WIDTH = 1

@named
class Second:
    WIDTH = 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    name = f"labelled_{next(_numbers)}"
    Path(tmp_path, f"{name}.py").write_text(SOURCE)
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    hotswap.sync()
    yield module
    session.stop()


def edit(module: Any, old: str, new: str) -> None:
    text = Path(module.__file__).read_text()
    assert text.count(old) == 1
    Path(module.__file__).write_text(text.replace(old, new))
    report = hotswap.sync()
    assert report.status == "applied", report


def label(module: Any) -> tuple[str, str]:
    assert vars(module.First)["shared"] is vars(module.Second)["shared"] is module.shared
    return module.shared.__qualname__, module.shared.__doc__


def test_a_class_made_again_is_not_the_last(module: Any) -> None:
    edit(module, "class First:\n    WIDTH = 1", "class First:\n    WIDTH = 2")
    assert module.First.WIDTH == 2
    assert label(module) == ("Second.shared", "Of Second.")


def test_the_last_class_made_again(module: Any) -> None:
    edit(module, "class Second:\n    WIDTH = 1", "class Second:\n    WIDTH = 2")
    assert module.Second.WIDTH == 2
    assert label(module) == ("Second.shared", "Of Second.")
