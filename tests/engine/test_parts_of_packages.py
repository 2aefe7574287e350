"""A module of a package stays a name of the package while a fresh start would load it."""

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

PARTS = {
    "part.py": "x = 1\n",
    "user.py": "from {0} import part\n__all__ = ['y']\ny = 2\n",
    "other.py": "from . import part\ny = 2\n",
    "alone.py": "z = 3\n",
}

# `__init__.py` before and after; `{0}` is the name of the package.
EDITS = {
    "star import with a list": ("from .user import *\n", "from {0}.user import *\n"),
    "star import without one": ("from .other import *\n", "from {0}.other import *\n"),
    "star import goes": ("from . import user\nfrom .other import *\n", "from . import user, other\n"),
    "another names it": ("from . import part, user\n", "from . import user\n"),
    "the statement names less": ("from . import part, user, other\n", "from . import other, user\n"),
    "nobody names it": ("from . import alone, user\n", "from . import user\n"),
    "dotted": ("import {0}.user\nfrom . import part\n", "import {0}.user\n"),
}


def write(folder: Path, sources: Sources) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in sources.items():
        (folder / name).write_text(text.replace("{0}", folder.name))


@pytest.mark.parametrize("edit", EDITS)
def test_package_has_the_parts_that_a_fresh_start_loads(folder: Path, edit: str) -> None:
    package = folder / f"parts{next(_numbers)}"
    before, after = EDITS[edit]
    write(package, {"__init__.py": before, **PARTS})
    module = importlib.import_module(package.name)
    hotswap.sync()
    write(package, {"__init__.py": after})
    report = hotswap.sync()
    assert report.status in ("applied", "unchanged"), report
    code = f"import {package.name}; print(*(name for name in vars({package.name}) if name[:2] != '__'))"
    cold = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert sorted(name for name in vars(module) if name[:2] != "__") == sorted(cold.stdout.split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    # Sources of one size and second would share their byte code.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()
