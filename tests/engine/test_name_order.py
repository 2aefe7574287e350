"""A name that an update adds stands in `vars(module)` where a fresh start would have put it."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)

Sources = dict[str, str]

# The sources before and after; `{0}` is the name of the package, whose namespace is compared.
EDITS: dict[str, tuple[Sources, Sources]] = {
    "function": (
        {"__init__.py": "def a(): pass\ndef c(): pass\n"},
        {"__init__.py": "def a(): pass\ndef b(): pass\ndef c(): pass\n"},
    ),
    "first": (
        {"__init__.py": "'text'\na = 1\n"},
        {"__init__.py": "'text'\nimport os\nfrom sys import path\na = 1\n"},
    ),
    "alone": ({"__init__.py": ""}, {"__init__.py": "import os\na = 1\n"}),
    "several": (
        {"__init__.py": "a = 1\nclass E: pass\nimport sys\n"},
        {"__init__.py": "a = 1\nb, c = 2, 3\ndef d(): pass\nclass E: pass\nimport os, sys\nf = 6\n"},
    ),
    "one goes": (
        {"__init__.py": "a = 1\nb = 2\nd = 4\n"},
        {"__init__.py": "a = 1\nc = 3\nd = 4\n"},
    ),
    "block": (
        {"__init__.py": "a = 1\nif a:\n    b = 2\nd = 4\n"},
        {"__init__.py": "a = 1\nif a:\n    b = 2\n    c = 3\nd = 4\n"},
    ),
    "star import with a list": (
        {
            "__init__.py": "from {0}.part import *\nlast = 1\n",
            "part.py": "__all__ = ['y', 'x']\nx, y, z = 1, 2, 3\n",
        },
        {
            "__init__.py": "from {0}.part import *\nlast = 1\n",
            "part.py": "__all__ = ['y', 'z', 'x']\nx, y, z = 1, 2, 3\n",
        },
    ),
    "seen by its own module": (
        {"__init__.py": "a = 1\nnames = locals()\nc = 3\n"},
        {"__init__.py": "a = 1\nb = 2\nnames = locals()\nc = 3\n"},
    ),
}


def write(folder: Path, sources: Sources) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in sources.items():
        (folder / name).write_text(text.replace("{0}", folder.name))


@pytest.mark.parametrize("edit", EDITS)
def test_added_names_stand_where_a_fresh_start_puts_them(folder: Path, edit: str) -> None:
    package = folder / f"order{next(_numbers)}"
    before, after = EDITS[edit]
    write(package, before)
    module = importlib.import_module(package.name)
    hotswap.sync()
    write(package, after)
    report = hotswap.sync()
    assert report.status == "applied", report
    code = f"import {package.name}; print(*vars({package.name}))"
    cold = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert own_names(list(vars(module))) == own_names(cold.stdout.split())


def own_names(names: list[str]) -> list[str]:
    return [name for name in names if not (name.startswith("__") and name.endswith("__"))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    # Sources of one size and second would share their byte code.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()
