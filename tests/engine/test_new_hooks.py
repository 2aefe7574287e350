"""Bases that come with a hook: it runs for the classes below as at a fresh start."""

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


BASES = """\
from typing import Generic, TypeVar
T = TypeVar("T")
class Tagging:
    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        cls.tag = cls.__name__.lower()
class Counting:
    made = []
    def __init_subclass__(cls):
        Counting.made.append(cls.__name__)
class Base{0}:
    pass
class Beside(Base):
    pass
"""
BELOW = "from {0} import Base\nclass Sub(Base):\n    pass\nclass Low(Sub):\n    pass\n"
SHOW = (
    "print([[vars(c).get(n) for n in ('tag', '__parameters__')] for c in (m.Base, m.Beside, u.Sub, u.Low)])"
)


CHANGES = {
    "comes": ("", "(Tagging)"),
    "of typing": ("", "(Generic[T])"),
    "two": ("", "(Tagging, Generic[T])"),
    "goes": ("(Tagging)", ""),
    "goes from typing": ("(Tagging, Generic[T])", "(Tagging)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_hook_of_another_base(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = next(_numbers)
    bases, below = f"hooks_{number}", f"hooked_{number}"
    before, after = CHANGES[change]
    (tmp_path / f"{bases}.py").write_text(BASES.format(before))
    (tmp_path / f"{below}.py").write_text(BELOW.format(bases))
    monkeypatch.syspath_prepend(str(tmp_path))
    module, user = importlib.import_module(bases), importlib.import_module(below)
    instances = [user.Low()]
    with hotswap.watch(tmp_path):
        (tmp_path / f"{bases}.py").write_text(BASES.format(after))
        report = hotswap.sync()
    assert report.status == "applied" and isinstance(instances[0], module.Base)
    capsys.readouterr()
    exec(SHOW, {"m": module, "u": user})
    live = capsys.readouterr().out
    code = f"import {bases} as m, {below} as u\n{SHOW}"
    cold = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert live == cold.stdout


def test_hook_that_does_more_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = next(_numbers)
    bases, below = f"hooks_{number}", f"hooked_{number}"
    (tmp_path / f"{bases}.py").write_text(BASES.format(""))
    (tmp_path / f"{below}.py").write_text(BELOW.format(bases))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(bases)
    importlib.import_module(below)
    with hotswap.watch(tmp_path):
        (tmp_path / f"{bases}.py").write_text(BASES.format("(Counting)"))
        report = hotswap.sync()
    assert report.status == "applied" and len(module.Counting.made) == len(set(module.Counting.made))
    told = {change.qualname for change in report.changes if "__init_subclass__" in change.reason}
    assert told | set(module.Counting.made) >= {"Base", "Beside", "Sub", "Low"}
