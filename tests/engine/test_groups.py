"""What one edited file takes from another through files that are not edited makes them one group."""

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


OLD = "def old():\n    return 1\n"
NEW = OLD + "def new():\n    return 2\n"

# What stands between, `{0}` being the name of the package; then the user's source before and after.
BETWEEN = {
    "star": ({"__init__.py": "from .impl import *\n"}, "from {0} import old", "from {0} import new as old"),
    "stars of stars": (
        {"__init__.py": "from .api import *\n", "api.py": "from .impl import *\n"},
        "import {0}\nold = {0}.old",
        "import {0}\nold = {0}.new",
    ),
    "attribute of a module": (
        {"__init__.py": "from . import impl\n"},
        "import {0}\nold = {0}.impl.old",
        "import {0}\nold = {0}.impl.new",
    ),
    "attribute under another name": (
        {"__init__.py": "from . import impl as core\n"},
        "import {0} as p\nold = p.core.old",
        "import {0} as p\nold = p.core.new",
    ),
    "module taken from a package": (
        {"__init__.py": "from .inner import sub\n", "inner/__init__.py": "from . import sub\n",
         "inner/sub.py": "from {0} import impl\n"},
        "from {0} import sub\nold = sub.impl.old",
        "from {0} import sub\nold = sub.impl.new",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BETWEEN)
@pytest.mark.parametrize("first", ["a", "z"])
def test_what_comes_through_others_is_there(
    kind: str, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(_numbers)
    package, user = f"{first}between_{number}", f"muser_{number}"
    between, before, after = BETWEEN[kind]
    for name, text in {**between, "impl.py": OLD}.items():
        path = tmp_path / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(package))
    (tmp_path / f"{user}.py").write_text(before.format(package) + "\nvalue = old()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(user)
    assert module.value == 1
    with hotswap.watch(tmp_path) as session:
        session.pause()
        (tmp_path / f"{user}.py").write_text(after.format(package) + "\nvalue = old()\n")
        (tmp_path / package / "impl.py").write_text(NEW)
        session.resume()
        report = hotswap.sync()
        assert [entry.status for entry in session.history] == ["applied"]
    assert len(report.groups) == 1
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {user}; print({user}.value)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert module.value == int(cold.stdout) == 2


def test_files_that_only_share_a_package_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = f"between_{next(_numbers)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("from . import left, right\n")
    for name in ("left", "right"):
        (tmp_path / package / f"{name}.py").write_text(f"from {package} import shared\nx = shared.x\n")
    (tmp_path / package / "shared.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    left = importlib.import_module(f"{package}.left")
    right = importlib.import_module(f"{package}.right")
    with hotswap.watch(tmp_path) as session:
        session.pause()
        (tmp_path / package / "left.py").write_text(f"from {package} import shared\nx = shared.x + 1\n")
        (tmp_path / package / "right.py").write_text(f"from {package} import shared\nx = shared.y\n")
        session.resume()
        report = hotswap.sync()
    assert sorted(group.status for group in report.groups) == ["applied", "rejected"]
    assert (left.x, right.x) == (2, 1)
