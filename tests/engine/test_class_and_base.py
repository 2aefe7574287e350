"""A class statement that is edited while what its header or its decorator reads changes too."""

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


TEXT = """\
from typing import Protocol
def deco(cls):
    cls.mark = {0}
    return cls
class One:
    def m(self):
        return 1
class Two:
    def m(self):
        return 2
Base = {1}
@deco
class Plain(Base):
    def k(self):
        return {0}
class Outer:
    class Inner(Base):
        def k(self):
            return {0}
{2}
class Shape(Form):
    def k(self):
        return {0}
class Values:
    a{3}
    b{4}
    c{5}
def show():
    names = [sorted(name for name in vars(cls) if len(name) == 1) for cls in (Plain, Shape, Values)]
    return [Plain().m(), Plain().k(), Plain.mark, Outer.Inner().m(), Outer.Inner().k(), Shape.__mro__[1:], names]
"""


@pytest.mark.parametrize("lazily", [False, True], ids=["", "from __future__ import annotations"])
def test_both_arrive(lazily: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"class_and_base_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(TEXT.format(1, "One", "Form = object", " = None", ": int = 2", " = 3"))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    kept = module.Plain()
    with hotswap.watch(tmp_path):
        head = "from __future__ import annotations\n" if lazily else ""
        new = TEXT.format(2, "Two", "from typing import Protocol as Form", ": int", ": int", ": int = 3")
        file.write_text(head + new)
        report = hotswap.sync()
    assert report.status == "applied"
    assert isinstance(kept, module.Plain) and (kept.m(), kept.k()) == (2, 2)
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {name}; print({name}.show())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(module.show()) == cold.stdout.strip()


PASSED_ON = """\
class Field:
    def __init__(self, name):
        self.name = name{0}
def add(cls, fields):
    scope = {{}}
    exec(compile("def names(self):\\n    return " + repr([field.name for field in fields]) + {1}, "<made>", "exec"), scope)
    cls.names = scope["names"]
    return cls
class First:
    def k(self):
        return {2}
_fields = [Field(name) for name in ("a", "b")]
First = add(First, fields=_fields)
class Second:
    def k(self):
        return {2}
_fields = [Field(name) for name in ("c", "d")]
Second = add(Second, fields=_fields)
"""


def test_class_that_is_passed_on_ahead_of_its_turn_sees_its_own_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"class_and_base_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(PASSED_ON.format("", "''", 1))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    with hotswap.watch(tmp_path):
        file.write_text(PASSED_ON.format(" + '!'", "'+ [1]'", 2))
        report = hotswap.sync()
    assert report.status == "applied"
    assert (module.First().k(), module.Second().k()) == (2, 2)
    assert module.Second().names()[:2] in (["c", "d"], ["c!", "d!"])
    assert module.First().names()[:2] in (["a", "b"], ["a!", "b!"])
    # Whoever does not have the new ones is named.
    stale = {change.qualname for change in report.changes if change.action == "stale"}
    assert {cls.__name__ for cls in (module.First, module.Second) if cls().names()[2:] != [1]} <= stale
