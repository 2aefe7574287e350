"""Classes that describe themselves: instances made right below a class are passed with it to what completes it."""

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

TEXT = """\
_set = object.__setattr__
def add_eq(kind, fields):
    names = [field.name for field in fields]
    body = " and ".join(f"self.{name} == other.{name}" for name in names)
    made = {}
    exec(compile(f"def __eq__(self, other): return {body}", "<generated>", "exec"), made)
    kind.__eq__ = made["__eq__"]
    kind.__hash__ = None
    RETURN
class Field:
    __slots__ = ("name", "size")
    def __init__(self, name, size=1):
        bound = _set.__get__(self)
        bound("name", name)
        bound("size", size)
    def __setattr__(self, name, value):
        raise AttributeError(name)
FIELDS = [Field(name) for name in Field.__slots__]
Field = add_eq(Field, FIELDS)
class Properties:
    __slots__ = ("x", "y")
OTHERS = [Field(name) for name in Properties.__slots__]
"""
ITSELF = TEXT.replace("RETURN", "return kind")
EDIT = [
    ('"size")', '"size", "alias")'),
    ('        bound("size", size)\n', '        bound("size", size)\n        bound("alias", name.upper())\n'),
]
SHOWN = (
    "[(each.name, getattr(each, 'alias', None)) for each in m.FIELDS + m.OTHERS],"
    " m.Field.__eq__.__code__.co_names"
)

Made = Callable[[str], ModuleType]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(text: str) -> ModuleType:
        name = f"passed_on_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return make


def edit(module: ModuleType, text: str) -> hotswap.Report:
    path = Path(str(module.__file__))
    for old, new in EDIT:
        assert old in text
        text = text.replace(old, new)
    with hotswap.watch(path.parent) as session:
        session.pause()
        path.write_text(text)
        session.resume()
        return hotswap.sync()


def cold(module: ModuleType) -> str:
    code = f"import {module.__name__} as m; print(({SHOWN}))"
    command = [sys.executable, "-B", "-c", code]
    folder = Path(str(module.__file__)).parent
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_what_is_made_of_the_instances_follows_a_new_slot(make: Made) -> None:
    module = make(ITSELF)
    report = edit(module, ITSELF)
    assert report.status == "applied", str(report)
    assert not [change for change in report.changes if change.action == "stale"]
    assert repr(eval(f"({SHOWN})", {"m": module})) == cold(module)


def test_what_the_program_put_there_stays(make: Made) -> None:
    module = make(ITSELF)
    module.FIELDS.append(module.Field("added"))
    report = edit(module, ITSELF)
    assert report.status == "applied", str(report)
    assert [field.name for field in module.FIELDS] == ["name", "size", "added"]
    reasons = [change.reason for change in report.changes if change.qualname == "FIELDS"]
    assert len(reasons) == 1 and reasons[0].endswith("the program changed its value since")


def test_what_has_effects_does_not_run(make: Made) -> None:
    text = ITSELF.replace(
        "FIELDS = [Field(name) for name in Field.__slots__]",
        "MADE = []\ndef field(name):\n    MADE.append(name)\n    return Field(name)\n"
        "FIELDS = [field(name) for name in Field.__slots__]",
    )
    module = make(text)
    assert module.MADE == ["name", "size"]
    report = edit(module, text)
    assert report.status == "applied", str(report)
    assert module.MADE == ["name", "size"]
    assert module.Field("a") == module.Field("a") and module.Field("a") != module.Field("b")
    reasons = [change.reason for change in report.changes if change.action == "stale"]
    assert any("members written there are those of before" in reason for reason in reasons)


def test_another_class_that_comes_back(make: Made) -> None:
    """Instances made above are then of the class that was passed on."""
    text = TEXT.replace(
        "RETURN", "return type(kind.__name__, (), {k: v for k, v in vars(kind).items() if k not in names})"
    )
    module = make(text)
    assert type(module.FIELDS[0]) is not module.Field is type(module.OTHERS[0])
    report = edit(module, text)
    assert report.status == "applied", str(report)
    assert [change.qualname for change in report.changes if change.action == "stale"] == ["FIELDS"]
    assert type(module.FIELDS[0]) is not module.Field is type(module.OTHERS[0])
    assert [field.name for field in module.FIELDS] == ["name", "size"]
    assert module.Field("a").alias == "A" and module.OTHERS[0].alias == "X"
    assert "alias" in module.Field.__eq__.__code__.co_names
