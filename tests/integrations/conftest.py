"""A small project on disk whose modules the test process imports, edits and updates with the real engine."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import hotswap

_numbers = itertools.count()


class Project:
    """Modules in a folder of their own; their names are new in each test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = next(_numbers)

    def name(self, name: str) -> str:
        return f"{name}_{self.number}"

    def write(self, name: str, text: str) -> None:
        path = self.root / f"{self.name(name)}.py"
        before = path.stat().st_mtime if path.exists() else 0
        path.write_text(text)
        # Not two saves in one tick of the clock: that is the watcher's tests' matter.
        if path.stat().st_mtime <= before:
            os.utime(path, (before + 1, before + 1))

    def load(self, text: str, name: str = "mod") -> ModuleType:
        self.write(name, text)
        importlib.invalidate_caches()
        module = importlib.import_module(self.name(name))
        hotswap.sync()  # the sources of what was imported are read now, before the first edit
        return module

    def edit(self, *replacements: tuple[str, str], name: str = "mod") -> None:
        text = (self.root / f"{self.name(name)}.py").read_text()
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        self.write(name, text)

    def apply(self, *replacements: tuple[str, str], name: str = "mod") -> hotswap.Report:
        """Edit, update, and insist that it was applied."""
        self.edit(*replacements, name=name)
        report = hotswap.sync()
        assert report.status == "applied", report
        return report

    def take_back(self, *replacements: tuple[str, str], name: str = "mod") -> None:
        """Edit a refused source back to what runs."""
        self.edit(*replacements, name=name)
        report = hotswap.sync()
        assert report.status == "unchanged", report

    def refuse(self, *replacements: tuple[str, str], name: str = "mod") -> hotswap.Report:
        """Edit, update, and insist that it was rejected."""
        self.edit(*replacements, name=name)
        report = hotswap.sync()
        assert report.status == "rejected", report
        return report


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    project = Project(tmp_path)
    session = hotswap.watch(tmp_path)
    session.pause()  # updates happen in `sync` only
    yield project
    session.stop()
    for name in [name for name in sys.modules if name.endswith(f"_{project.number}")]:
        del sys.modules[name]
