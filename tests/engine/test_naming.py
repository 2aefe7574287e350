"""Packages that say at their end what all that they export is called: what an edit brings is called so too."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import hotswap

_numbers = itertools.count(1)

# It does not look into what it has named already.
NAMING = """\
def export(name, namespace):
    seen = set()
    def one(qualname, last, value):
        home = getattr(value, "__module__", None)
        if id(value) in seen or home is None or not home.startswith(__package__ + "."):
            return
        seen.add(id(value))
        value.__module__ = name
        if hasattr(value, "__qualname__"):
            value.__name__, value.__qualname__ = last, qualname
        if isinstance(value, type):
            for key, member in value.__dict__.items():
                one(qualname + "." + key, key, member)
    for key, value in namespace.items():
        if not key.startswith("_"):
            one(key, key, value)
"""
FUNCTION = "from .parts import {names}\nfrom .naming import export\nexport(__name__, globals())\ndel export\n"
LOOP = (
    "from .parts import {names}\n"
    "for value in list(globals().values()):\n"
    "    if getattr(value, '__module__', '').startswith(__name__ + '.'):\n"
    "        value.__module__ = __name__\n"
)
OTHER = (
    "from .parts import {names}\nfrom . import parts\nfrom .naming import export\n"
    "export('{package}.api', parts.__dict__)\ndel export\n"
)
PARTS = "def first(): return 1\nclass Kind:\n    def one(self): return 1\n"
MORE = (
    PARTS.replace("return 1\nclass", "return 2\nclass")
    + "    def two(self): return 2\n    @classmethod\n    def made(cls): return cls()\n"
    + "def second(): return 2\nclass Sort:\n    def one(self): return 1\n"
)
SHOWN = (
    "[(each.__module__, each.__qualname__) for each in (m.first, m.second, m.Kind, m.Kind.one, m.Kind.two,"
    " m.Kind.made.__func__, m.Sort, m.Sort.one)]"
)

Made = Callable[[str], ModuleType]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(text: str) -> ModuleType:
        package = tmp_path / f"naming{next(_numbers)}"
        package.mkdir()
        (package / "naming.py").write_text(NAMING)
        (package / "parts.py").write_text(PARTS)
        (package / "__init__.py").write_text(text.format(names="first, Kind", package=package.name))
        importlib.invalidate_caches()
        return importlib.import_module(package.name)

    return make


def folder(module: ModuleType) -> Path:
    return Path(str(module.__file__)).parent


def edit(session: hotswap.Session, module: ModuleType, **sources: str) -> hotswap.Report:
    session.pause()
    for name, text in sources.items():
        (folder(module) / f"{name}.py").write_text(text)
    session.resume()
    return hotswap.sync()


def cold(module: ModuleType, expression: str) -> str:
    name = module.__name__
    code = f"import {name} as m; print({expression})"
    command = [sys.executable, "-B", "-c", code]
    ran = subprocess.run(command, cwd=folder(module).parent, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.mark.parametrize("text", [FUNCTION, LOOP, OTHER])
def test_new_things_are_called_as_after_a_fresh_start(text: str, make: Made, tmp_path: Path) -> None:
    module = make(text)
    with hotswap.watch(tmp_path) as session:
        init = text.format(names="first, Kind, second, Sort", package=module.__name__)
        report = edit(session, module, parts=MORE, __init__=init)
    assert report.status == "applied", str(report)
    assert not [change for change in report.changes if change.action == "stale"]
    assert repr(eval(SHOWN, {"m": module})) == cold(module, SHOWN)
    assert module.first() == 2 and module.Kind.made().two() == 2


def test_what_was_there_keeps_what_the_program_said(make: Made, tmp_path: Path) -> None:
    module = make(FUNCTION)
    module.first.__module__ = f"{module.__name__}.said"
    with hotswap.watch(tmp_path) as session:
        init = FUNCTION.format(names="first, Kind, second, Sort")
        edit(session, module, parts=MORE, __init__=init)
    assert module.second.__module__ == module.__name__
    assert module.first.__module__ == f"{module.__name__}.said"
    assert module.Kind.__module__ == module.Kind.one.__module__ == module.__name__


def test_an_update_that_fails_afterwards_takes_the_names_back(make: Made, tmp_path: Path) -> None:
    module = make(FUNCTION)
    helper = "\ndef _helper(): return 1\n"
    with hotswap.watch(tmp_path) as session:
        edit(session, module, parts=PARTS + helper)
        kept = module.parts._helper
        failing = "def __hotswap_accept__(data): raise RuntimeError('no')\n"
        init = FUNCTION.format(names="first, Kind, _helper as third")
        report = edit(session, module, parts=PARTS + helper + failing, __init__=init)
        assert report.status == "rejected"
        assert kept.__module__ == f"{module.__name__}.parts" and kept.__qualname__ == "_helper"
        assert not hasattr(module, "third")
        assert module.Kind.__module__ == module.__name__
        report = edit(session, module, parts=PARTS + helper)
    assert report.status == "applied"
    assert (kept.__module__, kept.__qualname__, kept.__name__) == (module.__name__, "third", "third")


def test_a_statement_that_does_more_does_not_run_again(make: Made, tmp_path: Path) -> None:
    text = (
        "from .parts import {names}\nKNOWN = []\n"
        "for value in list(globals().values()):\n    KNOWN.append(value)\n"
    )
    module = make(text)
    known = len(module.KNOWN)
    with hotswap.watch(tmp_path) as session:
        report = edit(session, module, parts=MORE, __init__=text.format(names="first, Kind, second"))
    assert report.status == "applied"
    assert len(module.KNOWN) == known
    stale = [change.reason for change in report.changes if change.action == "stale"]
    assert len(stale) == 1 and "other names than there are now" in stale[0]
