"""Objects that a module makes and then completes, or makes with lambdas, and what is derived of them."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)


class Files:
    """Modules on disk that are imported and edited; `{0}` in a text is what their names begin with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"made{next(_numbers)}"

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            path = self.folder / f"{self.prefix}{name.replace('__in__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text).replace("{0}", self.prefix))

    def load(self, **texts: str) -> Any:
        self.write(**texts)
        importlib.invalidate_caches()
        modules = [importlib.import_module(self.prefix + name.replace("__in__", ".")) for name in texts]
        hotswap.sync()
        return modules[0]

    def edit(self, **texts: str) -> hotswap.Report:
        self.write(**texts)
        return hotswap.sync()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    yield Files(tmp_path)
    session.stop()


COUNTED = """\
    class Counted(list):
        def __init__(self, items):
            super().__init__(items)
            self.count = len(items)
        def append(self, item): raise TypeError
    """
COMPLETED = """\
    from {0}counted import Counted
    LENGTH = "{}"
    NAMES = Counted(["a"])
    NAMES.__doc__ = "The names."
    NAMES.by_length = {LENGTH.format(1): "a"}
    HOLDER = [NAMES]
    """


def test_an_object_that_is_made_anew_is_completed_as_before(files: Files) -> None:
    module = files.load(a=COMPLETED, counted=COUNTED)
    report = files.edit(a=COMPLETED.replace('["a"]', '["a", "b"]'))
    assert module.NAMES == ["a", "b"]
    assert vars(module.NAMES) == {"count": 2, "__doc__": "The names.", "by_length": {"1": "a"}}
    assert not [each for each in report.changes if each.action == "stale"], report.changes


def test_an_object_that_is_derived_again_is_completed_as_before(files: Files) -> None:
    module = files.load(a=COMPLETED, counted=COUNTED)
    names = module.NAMES
    report = files.edit(counted=COUNTED.replace("len(items)", "2 * len(items)"))
    assert module.NAMES is names and module.HOLDER[0] is names
    assert vars(names) == {"count": 2, "__doc__": "The names.", "by_length": {"1": "a"}}
    assert not [each for each in report.changes if each.action == "stale"], report.changes


def test_an_object_is_completed_after_the_commit_with_its_class(files: Files) -> None:
    decorated = COUNTED.replace(
        "class", "def count(made):\n        made.size = 4\n        return made\n    @count\n    class"
    )
    module = files.load(a=COMPLETED, counted=COUNTED)
    names = module.NAMES
    report = files.edit(counted=decorated)
    assert module.NAMES is names and names.size == 4
    assert vars(names) == {"count": 1, "__doc__": "The names.", "by_length": {"1": "a"}}
    assert not [each for each in report.changes if each.action == "stale"], report.changes


def test_what_is_set_on_an_object_with_effects_is_not_set_again(files: Files) -> None:
    text = """\
        LOG = []
        class Thing:
            def __init__(self, size): self.size = size
            def __setattr__(self, name, value):
                if name == "mark": LOG.append(value)
                object.__setattr__(self, name, value)
        THING = Thing(1)
        THING.mark = 5
        """
    module = files.load(a=text)
    report = files.edit(a=text.replace("Thing(1)", "Thing(2)"))
    assert module.THING.size == 2 and module.LOG == [5]
    stale = [each for each in report.changes if each.action == "stale"]
    assert stale and "harmless" in stale[0].reason, report.changes


def test_a_setter_that_fills_a_container_of_the_object_is_called_again(files: Files) -> None:
    text = """\
        SHARED = {}
        class App:
            def __init__(self, name): self.name, self.config, self.shared = name, {}, SHARED
            @property
            def debug(self): return self.config.get("debug")
            @debug.setter
            def debug(self, value): self.config["debug"] = value
            @property
            def known(self): return self.shared.get(self.name)
            @known.setter
            def known(self, value): self.shared[self.name] = value
        APP = App("one")
        APP.debug = True
        APP.known = 1
        """
    module = files.load(a=text)
    report = files.edit(a=text.replace('"one"', '"two"'))
    assert module.APP.name == "two" and module.APP.debug is True
    # What others have, too, is left alone.
    assert module.SHARED == {"one": 1}
    assert [each.qualname for each in report.changes if each.action == "stale"] == ["APP.known = 1"]


def test_an_object_that_others_hold_is_not_completed_again(files: Files) -> None:
    text = """\
        class Thing:
            def __init__(self): self.marks = 0
        ALL = {"a": Thing(), "b": Thing()}
        THING = ALL["a"]
        THING.marks += 1
        """
    module = files.load(a=text)
    files.edit(a=text.replace('ALL["a"]', 'ALL["b"]'))
    assert module.THING is module.ALL["b"] and module.THING.marks == 0


def test_what_completes_an_object_reads_what_is_bound_in_between(files: Files) -> None:
    text = """\
        class Thing:
            def __init__(self, size): self.size = size
        THING = Thing(1)
        MORE = 1
        THING.more = MORE
        """
    module = files.load(a=text)
    report = files.edit(a=text.replace("Thing(1)", "Thing(2)").replace("MORE = 1", "MORE = 2"))
    stale = [each.qualname for each in report.changes if each.action == "stale"]
    assert module.THING.size == 2 and (module.THING.__dict__.get("more") == 2 or stale)


LAMBDAS = """\
    class Kind:
        def __init__(self, name, fields): self.name, self.fields = name, fields
    class Field:
        def __init__(self, kind, resolve): self.kind, self.resolve = kind, resolve
    TEXT = Kind("text", lambda: {"one": 1})
    FIELD = Field(TEXT, resolve=lambda source: source[0])
    """


def test_an_object_with_a_lambda_is_derived_again(files: Files) -> None:
    module = files.load(a=LAMBDAS)
    field = module.FIELD
    files.edit(a=LAMBDAS.replace('"text"', '"words"').replace('"one": 1', '"one": 1, "two": 2'))
    assert module.FIELD is field and field.kind is module.TEXT
    assert field.kind.name == "words" and field.kind.fields() == {"one": 1, "two": 2}
    assert field.resolve("ab") == "a"


def test_an_object_whose_lambda_the_program_replaced_is_kept(files: Files) -> None:
    module = files.load(a=LAMBDAS)
    module.FIELD.resolve = lambda source: source[1]
    report = files.edit(a=LAMBDAS.replace('"text"', '"words"'))
    assert module.FIELD.resolve("ab") == "b" and module.FIELD.kind is not module.TEXT
    stale = [each for each in report.changes if each.action == "stale"]
    assert "the program changed its value since" in stale[0].reason, report.changes


def test_a_lambda_that_is_derived_again_and_is_the_same_stays(files: Files) -> None:
    text = """\
        def passed(function): return function
        HELD = passed(lambda: 1)
        """
    module = files.load(a=text)
    held = module.HELD
    files.edit(
        a=text.replace(
            "def passed(function): return",
            "# More.\n        def passed(function):\n            return (0, function)[1] or",
        )
    )
    assert module.HELD is held and held.__code__.co_firstlineno == 4


def test_a_named_tuple_that_is_derived_through_its_class_method(files: Files) -> None:
    """What makes it runs with no builtins at all: it is watched nevertheless."""
    text = """\
        import re
        from typing import NamedTuple
        VERSION = "3.1.1"
        PATTERN = re.compile(r"(\\d+)[.](\\d+)")
        class Version(NamedTuple):
            major: int
            minor: int
            @classmethod
            def parse(cls, text):
                groups = PATTERN.match(text).groups()
                major, minor = map(int, groups)
                return cls(major, minor)
        PARSED = Version.parse(VERSION)
        """
    module = files.load(a=text)
    files.edit(a=text.replace("3.1.1", "3.2.1"))
    assert module.PARSED == (3, 2)


def test_code_with_builtins_of_its_own_is_watched(files: Files) -> None:
    text = """\
        STEP = 1
        SCOPE = {"__builtins__": {}}
        exec("def advance(number, step): return {'a': number + step}", SCOPE)
        class Box:
            def __init__(self, number):
                self.number = SCOPE["advance"](number, STEP)["a"]
        BOX = Box(1)
        """
    module = files.load(a=text)
    files.edit(a=text.replace("STEP = 1", "STEP = 2"))
    assert module.BOX.number == 3


def test_a_table_that_a_loop_fills_from_the_names_of_its_module(files: Files) -> None:
    text = """\
        ONE = 1
        TWO = 2
        RAW = "a ONE"
        TABLE = {}
        for line in RAW.splitlines():
            key, name = line.split()
            TABLE[key] = globals()[name]
        """
    module = files.load(a=text)
    table = module.TABLE
    files.edit(a=text.replace('"a ONE"', '"a ONE\\nb TWO"'))
    assert module.TABLE is table and table == {"a": 1, "b": 2} and module.name == "TWO"


def test_a_table_that_the_program_filled_too_keeps_what_it_put_there(files: Files) -> None:
    text = """\
        ONE = 1
        TWO = 2
        RAW = "a ONE|b TWO|c ONE"
        TABLE = {}
        ORDER = []
        for entry in RAW.split("|"):
            key, name = entry.split()
            TABLE[key] = globals()[name]
            ORDER.append(key)
        """
    module = files.load(a=text)
    table, order = module.TABLE, module.ORDER
    module.TABLE["mine"] = mine = object()
    module.ORDER.append("mine")
    del module.TABLE["b"]
    module.TABLE["c"] = 5
    report = files.edit(a=text.replace("a ONE|b TWO|c ONE", "a TWO|b TWO|c ONE|d ONE"))
    assert module.TABLE is table and table == {"a": 2, "c": 5, "d": 1, "mine": mine}
    assert module.ORDER is order and sorted(order) == ["a", "b", "c", "d", "mine"]
    assert not [each for each in report.changes if each.action == "stale"], report.changes


def test_a_list_that_a_loop_fills_and_the_program_emptied_is_kept(files: Files) -> None:
    text = """\
        RAW = "a b"
        ORDER = []
        for entry in RAW.split():
            ORDER.append(entry)
        """
    module = files.load(a=text)
    module.ORDER.clear()
    report = files.edit(a=text.replace('"a b"', '"a b c"'))
    assert module.ORDER == []
    stale = [each.reason for each in report.changes if each.action == "stale"]
    assert "cannot be merged" in stale[0], report.changes


DEPRECATED = """\
    import functools
    def deprecated(message):
        def wrap(made):
            @functools.wraps(made)
            def call(*given): return made(*given)
            return call
        return wrap
    class Base: pass
    class Thing(Base):
        def size(self): return 1
    class Small(Thing): pass
    THING = Thing()
    """


def test_a_class_that_a_decorator_puts_a_function_around(files: Files) -> None:
    module = files.load(a=DEPRECATED, user="from {0}a import Thing")
    user = sys.modules[f"{files.prefix}user"]
    Thing, thing = module.Thing, module.THING
    text = DEPRECATED.replace("    class Thing", '    @deprecated("soon")\n    class Thing')
    text = text.replace("return 1", "return 2").replace("    class Small(Thing): pass\n", "")
    report = files.edit(a=text)
    assert report.status == "applied", report
    assert thing.size() == 2 and type(thing) is Thing
    assert not isinstance(module.Thing, type) and user.Thing is module.Thing
    assert module.Thing.__wrapped__ is Thing and type(module.Thing()) is Thing
    assert Thing in module.Base.__subclasses__() and len(module.Base.__subclasses__()) == 1
    # And its members are edited as those of any class.
    files.edit(a=text.replace("return 2", "return 3").replace("def size", "more = 4\n        def size"))
    assert thing.size() == 3 and thing.more == 4 and module.Thing.__wrapped__ is Thing
    # Without the decorator the name holds the class itself again.
    text = text.replace("return 2", "return 3").replace('    @deprecated("soon")\n', "")
    files.edit(a=text.replace("def size", "more = 5\n        def size"))
    assert module.Thing is Thing and user.Thing is Thing and thing.size() == 3 and thing.more == 5


def test_a_class_in_a_wrapper_that_does_not_name_it_is_refused(files: Files) -> None:
    module = files.load(a=DEPRECATED)
    thing = module.THING
    text = DEPRECATED.replace("@functools.wraps(made)", "").replace("    class Small(Thing): pass\n", "")
    report = files.edit(a=text.replace("    class Thing", '    @deprecated("soon")\n    class Thing'))
    assert report.status == "rejected" and "no longer a class" in str(report.error)
    assert module.Thing is type(thing)
