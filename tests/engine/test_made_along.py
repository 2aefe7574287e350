"""Instances that the making of a class put into it get new attributes that need an argument."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

OPTIONS = """\
class Options:
    def __init__(self, meta, ordered=False):
        self.fields = getattr(meta, "fields", ())
        self.ordered = ordered
"""
NEW = """\
        self.many = getattr(meta, "many", False)
"""


class Program:
    """Modules on disk, imported, of which the first is edited."""

    def __init__(self, folder: Path, *sources: str) -> None:
        self.modules: list[types.ModuleType] = []
        self.files: list[Path] = []
        for source in sources:
            name = f"made_along_{next(_numbers)}"
            if self.modules:
                source = source.replace("FIRST", self.modules[0].__name__)
            self.files.append(folder / f"{name}.py")
            self.files[-1].write_text(textwrap.dedent(source))
            importlib.invalidate_caches()
            self.modules.append(importlib.import_module(name))
        hotswap.sync()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.modules[0], name)

    def sub(self, old: str, new: str) -> hotswap.Report:
        text = self.files[0].read_text()
        assert text.count(old) == 1
        self.files[0].write_text(text.replace(old, new))
        report = hotswap.sync()
        assert report.status == "applied", report.error
        return report

    def add_many(self) -> hotswap.Report:
        return self.sub("        self.ordered = ordered\n", "        self.ordered = ordered\n" + NEW)


Load = Callable[..., Program]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    loaded: list[Program] = []

    def make(*sources: str) -> Program:
        loaded.append(Program(tmp_path, *sources))
        return loaded[-1]

    yield make
    session.stop()
    for program in loaded:
        for module in program.modules:
            sys.modules.pop(module.__name__, None)


def said(report: hotswap.Report, qualname: str) -> str:
    return "; ".join(change.reason for change in report.changes if change.qualname == qualname)


METACLASS = (
    OPTIONS
    + """
REGISTRY = {}


class Meta(type):
    def __new__(mcs, name, bases, attrs):
        made = super().__new__(mcs, name, bases, attrs)
        made.opts = Options(made.Meta, ordered=True)
        return made

    def __init__(cls, name, bases, attrs):
        super().__init__(name, bases, attrs)
        REGISTRY.setdefault(name, []).append(cls)


class Schema(metaclass=Meta):
    opts = None

    class Meta:
        many = True


class Plain(Schema):
    class Meta:
        fields = ("a", "b")

    def name(self):
        return super().__repr__()
"""
)


def test_metaclass_that_enters_its_classes_elsewhere(load: Load) -> None:
    program = load(METACLASS, "from FIRST import Schema\n\nclass Other(Schema):\n    pass\n")
    schema, plain, other = program.Schema, program.Plain, program.modules[1].Other
    options = schema.opts, plain.opts, other.opts
    report = program.add_many()
    assert (schema.opts, plain.opts, other.opts) == options
    assert [each.many for each in options] == [True, False, True]
    assert [len(entered) for entered in program.REGISTRY.values()] == [1, 1, 1]
    assert set(schema.__subclasses__()) == {plain, other}
    assert said(report, "Options.many") == "3 instances"


def test_hook_of_a_base(load: Load) -> None:
    program = load(
        OPTIONS
        + """
class Base:
    def __init_subclass__(cls, **options):
        super().__init_subclass__()
        cls.opts = Options(cls, **options)


class One(Base, ordered=True):
    many = 7
"""
    )
    options = program.One.opts
    program.add_many()
    assert program.One.opts is options and options.many == 7 and options.ordered is True


def test_descriptor_that_is_told_its_name(load: Load) -> None:
    program = load(
        OPTIONS
        + """
class Field:
    many = 3

    def __set_name__(self, owner, name):
        owner.opts = Options(self)


class One:
    field = Field()
"""
    )
    program.add_many()
    assert program.One.opts.many == 3


def test_metaclass_that_sets_it_in_its_init(load: Load) -> None:
    program = load(
        OPTIONS
        + """
class Meta(type):
    def __init__(cls, name, bases, attrs):
        super().__init__(name, bases, attrs)
        cls.opts = Options(cls)


class Outer:
    class One(metaclass=Meta):
        many = [1, 2]
"""
    )
    program.add_many()
    one = program.Outer.One
    assert one.opts.many == [1, 2]
    # As a start would have it: the list of the class itself.
    assert one.opts.many is one.many


def test_value_that_is_of_the_class(load: Load) -> None:
    program = load(METACLASS.replace("made.Meta, ordered=True", "made, ordered=True"))
    schema = program.Schema
    program.sub(
        "        self.ordered = ordered\n",
        "        self.ordered = ordered\n        self.owner = meta\n        self.meta = meta.Meta\n",
    )
    assert schema.opts.owner is schema and schema.opts.meta is schema.Meta
    assert program.Plain.opts.owner is program.Plain and program.Plain.opts.meta is program.Plain.Meta


def test_attribute_that_holds_the_class_already(load: Load) -> None:
    program = load(
        METACLASS.replace("made.Meta, ordered=True", "made, ordered=True").replace(
            "        self.ordered = ordered\n", "        self.owner = meta\n        self.ordered = ordered\n"
        )
    )
    program.sub(
        "        self.ordered = ordered\n",
        "        self.ordered = ordered\n        self.n = meta.Meta.__name__\n",
    )
    assert program.Schema.opts.n == "Meta" and program.Schema.opts.owner is program.Schema


def test_value_that_is_made_with_the_class_is_not_given(load: Load) -> None:
    program = load(METACLASS)
    report = program.sub(
        "        self.ordered = ordered\n",
        "        self.ordered = ordered\n        self.many = (lambda: meta)\n",
    )
    assert not hasattr(program.Schema.opts, "many")
    assert "the value belongs to that class" in said(report, "Options.many")


def test_instance_that_the_program_changed_is_left(load: Load) -> None:
    program = load(METACLASS)
    program.Schema.opts.fields = ("changed",)
    report = program.add_many()
    assert not hasattr(program.Schema.opts, "many") and program.Schema.opts.fields == ("changed",)
    assert program.Plain.opts.many is False
    assert "its fields is not what making its class again gives it" in said(report, "Options.many")


def test_instance_that_the_program_put_there_is_left(load: Load) -> None:
    program = load(METACLASS)
    module = program.modules[0]
    module.Plain.opts = module.Options(None)
    report = program.add_many()
    assert not hasattr(module.Plain.opts, "many")
    assert "1 instances lack it" in said(report, "Options.many")


def test_class_that_cannot_be_made_again_without_effects(load: Load) -> None:
    program = load(
        METACLASS.replace(
            "        made.opts =", "        REGISTRY.setdefault(name, []).append(made)\n        made.opts ="
        )
    )
    report = program.add_many()
    assert not hasattr(program.Schema.opts, "many")
    assert [len(entered) for entered in program.REGISTRY.values()] == [2, 2]
    reason = said(report, "Options.many")
    assert "2 instances lack it" in reason and "cannot be made again: " in reason


def test_body_with_effects_does_not_run(load: Load) -> None:
    program = load(
        METACLASS.replace(
            "    opts = None\n", "    opts = None\n    REGISTRY['body'] = REGISTRY.get('body', []) + [0]\n"
        )
    )
    report = program.add_many()
    assert program.REGISTRY["body"] == [0]
    assert not hasattr(program.Schema.opts, "many") and program.Plain.opts.many is False
    assert "1 instances lack it" in said(report, "Options.many")


def test_instances_of_the_program_are_still_reported(load: Load) -> None:
    program = load(METACLASS)
    mine = program.Options(None)
    report = program.add_many()
    assert program.Schema.opts.many is True and not hasattr(mine, "many")
    assert "1 instances lack it: its value needs an argument of __init__" in said(report, "Options.many")


def test_update_that_fails_afterwards_takes_it_back(load: Load) -> None:
    program = load(METACLASS)
    text = program.files[0].read_text()
    program.files[0].write_text(
        text.replace("        self.ordered = ordered\n", "        self.ordered = ordered\n" + NEW)
        + "\ndef __hotswap_accept__(data):\n    raise ValueError\n"
    )
    assert hotswap.sync().status != "applied"
    assert not hasattr(program.Schema.opts, "many")
