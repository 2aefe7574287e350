"""A package that gives what it exports its own name: classes and functions keep that when they are made anew."""

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


INIT = """\
from ._core import *
def _export(names):
    for name in names:
        value = globals()[name]
        value.__module__ = __name__
        if isinstance(value, type):
            for member in vars(value).values():
                if hasattr(member, "__module__") and hasattr(member, "__code__"):
                    member.__module__ = __name__
_export(["Plain", "Slots", "Wider", "plain", "decorated"])
"""
CORE = """\
__all__ = ["Plain", "Slots", "Wider", "plain", "decorated"]
def marked(function):
    function.mark = {0}
    return function
class Base:
    pass
class Plain:
    def m(self):
        return {0}
    @marked
    def d(self):
        return {0}
class Slots:
    __slots__ = {1}
    def m(self):
        return {0}
class Wider{2}:
    def m(self):
        return {0}
def plain():
    return {0}
@marked
def decorated():
    return {0}
"""
SHOW = """\
print([(value.__module__, getattr(value, "mark", None), [(name, member.__module__) for name, member
 in vars(value).items() if hasattr(member, "__code__")]) for value in
 (core.Plain, core.Slots, core.Wider, core.plain, core.decorated)])
"""


def test_given_homes_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = f"exporting_{next(_numbers)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(INIT)
    (tmp_path / package / "_core.py").write_text(CORE.format(1, "('a',)", ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(package)
    kept = module.Plain, module.plain, module.decorated, module.Plain.d
    held = [module.Slots()]
    with hotswap.watch(tmp_path):
        (tmp_path / package / "_core.py").write_text(CORE.format(2, "('a', 'b')", "(Base)"))
        report = hotswap.sync()
    assert report.status == "applied"
    assert (module.Plain, module.plain, module.decorated, module.Plain.d) == kept
    assert [kept[0]().m(), kept[1](), kept[2](), held[0].m(), module.Wider().m(), kept[3](None)] == [2] * 6
    capsys.readouterr()
    exec(SHOW, {"core": importlib.import_module(f"{package}._core")})
    live = capsys.readouterr().out
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {package}._core as core\n{SHOW}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert live == cold.stdout


def test_home_that_a_decorator_gave_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"exporting_{next(_numbers)}"
    text = "def at(home):\n    def give(cls):\n        cls.__module__ = home\n        return cls\n    return give\n"
    (tmp_path / f"{name}.py").write_text(text + "@at('elsewhere')\nclass A:\n    x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    assert module.A.__module__ == "elsewhere"
    with hotswap.watch(tmp_path):
        (tmp_path / f"{name}.py").write_text(text + "class A:\n    x = 2\n")
        assert hotswap.sync().status == "applied"
    assert (module.A.__module__, module.A.x) == (name, 2)
