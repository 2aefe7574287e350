"""What is kept between updates so that they need not look again, and what makes it look again."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hotswap

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes files, watches their folder and imports the first of them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    sessions: list[hotswap.Session] = []

    def make(paused: bool = True, **texts: str) -> Any:
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text)
        sessions.append(hotswap.watch(tmp_path))
        if paused:
            sessions[-1].pause()
        module = importlib.import_module(next(iter(texts)))
        hotswap.sync()
        return module

    yield make
    for session in sessions:
        session.stop()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_module_that_begins_to_import_another_follows_it(load: Load, tmp_path: Path) -> None:
    b = load(b="Y = 0\n", a="X = 1\n")
    assert hotswap.sync().status == "unchanged"
    (tmp_path / "b.py").write_text("from a import X\nY = X + 1\n")
    hotswap.sync()
    (tmp_path / "a.py").write_text("X = 10\n")
    hotswap.sync()
    assert b.Y == 11
    (tmp_path / "b.py").write_text("Y = 5\n")
    hotswap.sync()
    (tmp_path / "a.py").write_text("X = 20\n")
    hotswap.sync()
    assert b.Y == 5


def test_a_module_that_was_not_imported_but_put_there_is_updated(load: Load, tmp_path: Path) -> None:
    load(a="X = 1\n")
    (tmp_path / "a.py").write_text("X = 2\n")
    hotswap.sync()
    file = tmp_path / "made.py"
    file.write_text("def f():\n    return 1\n")
    hotswap.sync()
    spec = importlib.util.spec_from_file_location("made", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["made"] = made
    spec.loader.exec_module(made)
    hotswap.sync()
    file.write_text("def f():\n    return 2\n")
    hotswap.sync()
    assert made.f() == 2


def test_a_reload_of_its_own_by_the_program_is_noticed(load: Load, tmp_path: Path) -> None:
    a = load(a="X = 1\nLOADED = []\n")
    loaded = a.LOADED
    importlib.reload(a)
    assert a.LOADED is not loaded
    hotswap.sync()
    (tmp_path / "a.py").write_text("X = 2\nLOADED = []\n")
    hotswap.sync()
    assert a.X == 2


def test_functions_that_no_name_leads_to_are_found_after_all(load: Load, tmp_path: Path) -> None:
    a = load(a="def f():\n    return 1\n")
    hidden = iter([a.f])
    old = a.f

    def twin() -> int:
        return 0

    twin.__code__ = old.__code__
    (tmp_path / "a.py").write_text("def f():\n    return 2\n")
    hotswap.sync()
    assert (a.f(), next(hidden)(), twin()) == (2, 2, 2)


def test_what_was_read_ahead_is_not_applied_when_the_file_is_another_one(load: Load, tmp_path: Path) -> None:
    a = load(paused=False, a="X = 0\n")
    for number in range(1, 40):
        wanted = number * 1000
        (tmp_path / "a.py").write_text(f"X = {number}  # first\n")
        (tmp_path / "a.py").write_text(f"X = {wanted}\n")
        deadline = time.monotonic() + 10
        while wanted != a.X and time.monotonic() < deadline:
            time.sleep(0.001)
        assert wanted == a.X


def test_a_report_says_how_long_the_gil_was_held(load: Load, tmp_path: Path) -> None:
    load(a="def f():\n    return 1\n", b="def f():\n    return 1\n")
    importlib.import_module("b")
    hotswap.sync()
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("def f():\n    return 2\n")
    spent = hotswap.sync().duration_ms
    assert 0 < spent["pause"] <= spent["longest"] <= spent["held"]
    assert spent["held"] <= spent["total"] + 100
