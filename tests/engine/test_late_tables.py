"""Containers that several statements fill, from what is complete only after the commit."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)

CORE = """\
class Lazy:
    def __init__(self, function, force):
        self.function, self.force = function, force
def defines(force=False):
    def decorator(function):
        def accept():
            return Lazy(function, force)
        return accept
    return decorator
@defines()
def first():
    return 1
@defines()
def second():
    return 2
"""
EDITED = CORE.replace("@defines()\ndef first", "@defines(force=True)\ndef first")
HEAD = "from .front import first, second\n"
SHOWN = "[(key, getattr(value, 'force', value)) for key, value in m.TABLE.items()]"
TEXTS = [
    "TABLE = {1: first(), 2: second()}\nTABLE[3] = second()\n",
    "TABLE = {1: first(), 2: second()}\nTABLE[3] = first()\n",
    "TABLE = {1: first()}\nTABLE.update({2: first()})\n",
    "TABLE = {1: first()}\nif len(TABLE) == 1:\n    TABLE[2] = first()\nTABLE[3] = 'x' if sorted(TABLE) else first()\n",
    "TABLE = {1: first()}\nfor number in (5, 6):\n    TABLE[number] = second()\n",
]


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(folder))
    name = f"late_tables_{next(_numbers)}"
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "core.py").write_text(CORE)
    (package / "front.py").write_text("from .core import first, second\n")
    (package / "table.py").write_text(HEAD + text)
    importlib.invalidate_caches()
    importlib.import_module(f"{name}.table")
    return name


def edit(folder: Path, name: str, **texts: str) -> hotswap.Report:
    with hotswap.watch(folder) as session:
        session.pause()
        for file, text in texts.items():
            (folder / name / f"{file}.py").write_text(text)
        session.resume()
        return hotswap.sync()


def cold(folder: Path, name: str) -> str:
    code = f"import {name}.table as m; print({SHOWN})"
    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("text", TEXTS)
def test_a_table_is_filled_again_as_a_whole(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = load(tmp_path, monkeypatch, text)
    module = sys.modules[f"{name}.table"]
    table = module.TABLE
    report = edit(tmp_path, name, core=EDITED)
    assert report.status == "applied", str(report)
    assert not [change for change in report.changes if change.action == "stale"]
    assert module.TABLE is table
    assert repr(eval(SHOWN, {"m": module})) == cold(tmp_path, name)


@pytest.mark.parametrize("text", TEXTS)
def test_also_where_it_is_edited_itself(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = load(tmp_path, monkeypatch, text)
    module = sys.modules[f"{name}.table"]
    edited = text.replace("TABLE = {1:", "TABLE = {0: 'new', 1:")
    report = edit(tmp_path, name, core=EDITED, table=HEAD + edited)
    assert report.status == "applied", str(report)
    assert not [change for change in report.changes if change.action == "stale"]
    assert repr(eval(SHOWN, {"m": module})) == cold(tmp_path, name)


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_program_put_there_stays(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = load(tmp_path, monkeypatch, text)
    module = sys.modules[f"{name}.table"]
    module.TABLE["program"] = 7
    before = dict(module.TABLE)
    report = edit(tmp_path, name, core=EDITED)
    assert report.status == "applied", str(report)
    assert before == module.TABLE
    assert any("TABLE" in change.qualname for change in report.changes if change.action == "stale")


def test_effects_are_not_had_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "LOG = []\ndef logged(key):\n    LOG.append(key)\n    return second()\nTABLE = {1: first()}\nTABLE[2] = logged(2)\n"
    name = load(tmp_path, monkeypatch, text)
    module = sys.modules[f"{name}.table"]
    report = edit(tmp_path, name, core=EDITED)
    assert report.status == "applied", str(report)
    assert module.LOG == [2] and list(module.TABLE) == [1, 2] and not module.TABLE[1].force
    assert any(change.qualname == "TABLE" for change in report.changes if change.action == "stale")


def test_an_update_that_fails_afterwards_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = load(tmp_path, monkeypatch, TEXTS[1])
    module = sys.modules[f"{name}.table"]
    before = dict(module.TABLE)
    failing = EDITED + "def __hotswap_accept__(data): raise RuntimeError('no')\n"
    report = edit(tmp_path, name, core=failing)
    assert report.status == "rejected"
    assert before == module.TABLE and list(module.TABLE) == [1, 2, 3]
    assert all(module.TABLE[key] is before[key] for key in before)
