"""What live instances get of a new `__init__`, where the class has a part in it."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hotswap

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh start within the same second would take that of before for a source of the same length."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def edited(
    old: str, new: str, folder: Path, patch: pytest.MonkeyPatch
) -> tuple[ModuleType, str, hotswap.Report]:
    """A module after an edit, and what `show()` says in a process that starts with the new source."""
    name = f"initial_values_{next(_numbers)}"
    file = folder / f"{name}.py"
    file.write_text(old)
    patch.syspath_prepend(str(folder))
    module = importlib.import_module(name)
    with hotswap.watch(folder):
        file.write_text(new)
        report = hotswap.sync()
    assert report.status == "applied", report.error
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {name}; print({name}.show())"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return module, cold.stdout.strip(), report


LIMITED = """\
class Retry:
    {0}
    def __init__(self, n, m=1{1}):
        self.n = n
        self.m = m
        {2}
KEPT = Retry(3)
def show():
    return vars(KEPT)
"""


@pytest.mark.parametrize("star", ["", ", *"], ids=["by place", "by name"])
def test_a_default_is_a_name_of_the_class(star: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = LIMITED.format("pass", "", "pass")
    new = LIMITED.format("MOST = 5", star + ", most=MOST", "self.most = most")
    module, cold, _ = edited(old, new, tmp_path, monkeypatch)
    assert str(module.show()) == cold


def test_a_default_has_another_value_in_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = "MOST = 1\n" + LIMITED.format("pass", "", "pass")
    new = "MOST = 1\n" + LIMITED.format("MOST = MOST + 4", ", most=MOST", "self.most = most")
    module, cold, _ = edited(old, new, tmp_path, monkeypatch)
    assert str(module.show()) == cold


BEFORE = """\
class Base:
    pass
class Box(Base):
    def __init__(self):
        self.a = 1
KEPT = Box()
def show():
    return [KEPT.a, KEPT.size, vars(KEPT)]
"""

PROPERTY = """\
    @property
    def size(self):
        return self._size
    @size.setter
    def size(self, value):
        self._size = value or 3
"""

INIT = """\
    def __init__(self):
        self.a = 1
        self._size = 3
        self.size = None
"""


@pytest.mark.parametrize("where", ["own", "inherited", "of a new base"])
def test_what_is_set_through_a_new_property(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = BEFORE.replace(BEFORE[BEFORE.index("    def __init__") : BEFORE.index("KEPT")], INIT)
    if where == "own":
        new = new.replace("KEPT =", PROPERTY + "KEPT =", 1)
    elif where == "inherited":
        new = new.replace("    pass\n", PROPERTY)
    else:
        new = new.replace("class Box(Base)", "class Sized:\n" + PROPERTY + "class Box(Base, Sized)")
    module, cold, _ = edited(BEFORE, new, tmp_path, monkeypatch)
    assert str(module.show()) == cold


def test_what_only_the_property_could_set_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"initial_values_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(BEFORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    kept = module.Box()
    with hotswap.watch(tmp_path):
        file.write_text(
            BEFORE.replace(
                "        self.a = 1\n", "        self.a = 1\n        self.size = None\n" + PROPERTY
            )
        )
        report = hotswap.sync()
    assert report.status == "applied"
    assert vars(kept) == {"a": 1}
    assert [change.qualname for change in report.changes if change.action == "not applied"] == ["Box.size"]
    assert module.Box().size == 3
