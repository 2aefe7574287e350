"""Names that an import binds and that a statement below binds again: what stands between follows the import."""

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


# The source of a module that takes `x` from another one, `{0}`; what is looked at in the end.
USERS = {
    "bound to itself": "from {0} import x\ny = 2\nx = x\n",
    "read between": "from {0} import x\nz = x + 'z'\nx = 5\n",
    "or another": "from {0} import x\nx = x or 'none'\n",
    "built up": "from {0} import x\nx = x + 'a'\nw = x\nx = x + 'b'\n",
    "a default": "from {0} import x\ndef f(a=x):\n    return a\nx = 5\nz = f()\n",
    "augmented": "from {0} import x\nx += 'a'\n",
    "under another name": "from {0} import x as version\n__version__ = version\nversion = version\n",
    "of a package": "from {0} import x\nimport os as x2\nx2 = x\nx = x.upper()\n",
}


def names(module: object) -> dict[str, object]:
    found = {
        name: getattr(module, name, None) for name in ("w", "x", "x2", "y", "z", "version", "__version__")
    }
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("kind", USERS)
@pytest.mark.parametrize("also", [False, True], ids=["alone", "edited too"])
def test_what_follows_an_import(
    kind: str, also: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(_numbers)
    source, user = f"given_{number}", f"giver_user_{number}"
    (tmp_path / f"{source}.py").write_text("x = 'old'\n")
    text = USERS[kind].format(source)
    (tmp_path / f"{user}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(user)
    with hotswap.watch(tmp_path) as session:
        session.pause()
        (tmp_path / f"{source}.py").write_text("x = 'new one'\n")
        if also:
            (tmp_path / f"{user}.py").write_text(text + "more = 1\n")
        session.resume()
        report = hotswap.sync()
    assert report.status == "applied"
    assert not [change for change in report.changes if change.action == "stale"]
    shown = f"import {user}, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    code = shown + f"import test_rebound_imports as t; print(t.names({user}))"
    cold = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert repr(names(module)) == cold.stdout.strip()


def test_what_the_program_assigned_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = next(_numbers)
    source, user = f"given_{number}", f"giver_user_{number}"
    (tmp_path / f"{source}.py").write_text("x = 'old'\n")
    (tmp_path / f"{user}.py").write_text(f"from {source} import x\nz = x + 'z'\nx = x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(user)
    module.x = "mine"
    with hotswap.watch(tmp_path):
        (tmp_path / f"{source}.py").write_text("x = 'new one'\n")
        report = hotswap.sync()
    assert (module.x, module.z) == ("mine", "new onez")
    stale = [change for change in report.changes if change.action == "stale"]
    assert [(change.qualname, change.reason) for change in stale] == [
        ("x", "depends on x; the program changed its value since")
    ]
