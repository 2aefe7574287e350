"""What is made of something that an edit changes: instances, registrations, what hooks collect, copies of docstrings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_between_releases import Files

import hotswap


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    yield Files(tmp_path)
    session.stop()


SLOTTED = """\
    class Table:
        __slots__ = ("rows",)
        def __init__(self):
            self.rows = []
    class Store:
        __slots__ = ("tables", "find")
        def __init__(self):
            self.tables = Table()
            self.find = self._find
        def _find(self, key):
            return key in self.tables.rows
    class Special(Store):
        __slots__ = ("name",)
    def made():
        return Special()
    STORE = made()
"""


def test_instances_that_hold_one_another_move_to_other_layouts(files: Files) -> None:
    """What the update itself holds of an instance is no reason to leave it."""
    module = files.load(a=SLOTTED)
    module.STORE.tables.rows.append(1)
    report = files.edit(
        a=SLOTTED.replace('("rows",)', '("rows", "spare")')
        .replace("self.rows = []", "self.rows = []; self.spare = 5")
        .replace('"tables", "find"', '"tables", "find", "owner"')
        .replace("self.tables = Table()", "self.tables = Table(); self.owner = STORE_OF_OLD")
        .replace("class Table:", "STORE_OF_OLD = None\n    class Table:"),
    )
    assert report.status == "applied", report
    assert module.STORE.tables.rows == [1]
    assert module.STORE.tables.spare == 5
    assert module.STORE.owner is None
    assert type(module.STORE) is module.Special
    assert module.STORE.find(1)


def test_instances_made_while_the_update_was_prepared_move_too(files: Files) -> None:
    """A statement that runs for the update makes one of the old class, which is held by itself alone."""
    text = """\
        class Store:
            __slots__ = ("find",)
            def __init__(self):
                self.find = self._find
            def _find(self):
                return 1
        def size():
            Store()
            return 10
        SIZE = size()
        """
    module = files.load(a=text)
    report = files.edit(a=text.replace('("find",)', '("find", "owner")').replace("return 10", "return 11"))
    assert report.status == "applied", report
    assert module.Store().find() == 1
    module.Store().owner = 3


RECORD = """\
    from dataclasses import dataclass
    @dataclass(frozen=True)
    class Key:
        name: str
        show: bool = True
"""
USE = """\
    from {0}key import Key
    class Switch:
        KEYS = [Key("enter")]
"""


def test_class_attributes_are_made_by_the_class_as_it_is_after_the_edit(files: Files) -> None:
    files.load(key=RECORD, use=USE)
    report = files.edit(key=RECORD + "        id: int = 7\n")
    assert report.status == "applied", report
    use = sys.modules[files.prefix + "use"]
    assert vars(use.Switch.KEYS[0]) == {"name": "enter", "show": True, "id": 7}


HOOKED = """\
    from {0}key import Key
    class Base:
        def __init_subclass__(cls):
            cls.merged = {}
            for base in reversed(cls.__mro__):
                for key in base.__dict__.get("KEYS", []):
                    cls.merged[key.name] = key
    class Switch(Base):
        KEYS = [Key("enter"), Key("up")]
    class Special(Switch):
        KEYS = [Key("up", False)]
"""


def test_a_hook_collects_what_classes_make_after_the_commit(files: Files) -> None:
    files.load(key=RECORD, use=HOOKED)
    new = HOOKED.replace('Key("up", False)', 'Key("up", False), Key("down")')
    report = files.edit(key=RECORD + "        id: int = 7\n", use=new)
    assert report.status == "applied", report
    use = sys.modules[files.prefix + "use"]
    assert {name: vars(key)["id"] for name, key in use.Special.merged.items()} == {
        "enter": 7,
        "up": 7,
        "down": 7,
    }
    assert use.Special.merged["up"].show is False
    assert set(use.Switch.merged) == {"enter", "up"}


REGISTRY = """\
    REGISTRY = {}
    def inspects(kind):
        def decorate(function):
            if kind in REGISTRY:
                raise AssertionError(kind)
            REGISTRY[kind] = function
            return function
        return decorate
    def inspected(cls):
        if cls in REGISTRY:
            raise AssertionError(cls)
        REGISTRY[cls] = True
        return cls
"""
INSPECTOR = """\
    from {0}pkg.registry import inspected, inspects
    @inspected
    class Inspector:
        "Old."
        @inspects(int)
        def of_int(self):
            return 1
        @inspects(True)
        def of_true(self):
            return 2
"""


@pytest.mark.parametrize("owned", [False, True])
def test_members_that_register_withdraw_each_for_itself(
    files: Files, monkeypatch: pytest.MonkeyPatch, owned: bool
) -> None:
    """A package whose registries a plugin looks after is edited itself as any other."""
    from hotswap import _plugins

    package = files.prefix + "pkg"
    files.load(pkg__in__registry=REGISTRY, pkg__in__inspector=INSPECTOR)
    if owned:
        monkeypatch.setattr(_plugins, "_owned", [*_plugins._owned, package])
    report = files.edit(pkg__in__inspector=INSPECTOR.replace("Old.", "New."))
    assert report.status == "applied", report
    registry = sys.modules[package + ".registry"].REGISTRY
    inspector = sys.modules[package + ".inspector"].Inspector
    assert inspector.__doc__ == "New."
    assert registry == {int: inspector.of_int, True: inspector.of_true, inspector: True}


DOCUMENTED = """\
    class Generator:
        "Old."
        limit = 3
    func = Generator()
    func.__doc__ = Generator.__doc__
    other = Generator()
    other.__doc__ = Generator.__doc__
    def plain():
        pass
    plain.__doc__ = Generator.__doc__
"""


def test_a_docstring_handed_on_by_an_assignment_follows(files: Files) -> None:
    module = files.load(a=DOCUMENTED)
    module.other.__doc__ = "Mine."
    report = files.edit(a=DOCUMENTED.replace("Old.", "New."))
    assert report.status == "applied", report
    assert (module.func.__doc__, module.plain.__doc__) == ("New.", "New.")
    # The program said otherwise.
    assert module.other.__doc__ == "Mine."
    assert [change.action for change in report.changes if change.qualname.startswith("other")] == ["stale"]


def test_a_docstring_handed_on_comes_back_where_the_update_fails(files: Files) -> None:
    module = files.load(a=DOCUMENTED)
    text = (
        DOCUMENTED.replace("Old.", "New.").replace("limit = 3", "limit = 4") + "    later = func.limit / 0\n"
    )
    report = files.edit(a=text)
    assert report.status != "applied", report
    assert (module.func.__doc__, module.plain.__doc__) == ("Old.", "Old.")


WRITTEN = """\
    import inspect
    def checked(function):
        spec = inspect.getfullargspec(function)
        names = ", ".join(spec.args)
        env = {"function": function}
        exec(f"def {function.__name__}({names}):\\n    return function({names})", env)
        return env[function.__name__]
"""
AREA = """\
    from {0}written import checked
    @checked
    def area(a, b):
        return a * b
    class Room:
        @checked
        def area(self, b):
            return b
"""


def test_a_wrapper_written_for_other_parameters_is_made_again_or_reported(files: Files) -> None:
    """Code that a decorator has made from the parameters of a function does not follow them by itself."""
    files.load(written=WRITTEN, area=AREA)
    new = AREA.replace("(a, b)", "(a, b, c=1)").replace("(self, b)", "(self, b, c=1)")
    report = files.edit(area=new)
    assert report.status == "applied", report
    module = sys.modules[files.prefix + "area"]
    stale = {change.qualname for change in report.changes if change.action == "stale"}
    again = {
        "area": module.area.__code__.co_argcount == 3,
        "Room.area": module.Room.area.__code__.co_argcount == 3,
    }
    assert all(name in stale or done for name, done in again.items()), report


CACHED = """\
    from functools import cached_property
    class Pattern:
        @cached_property
        def empty(self):
            return len("a")
    PATTERN = Pattern()
    SEEN = PATTERN.empty
"""


@pytest.mark.parametrize("later", ["", "    LATER = 1 // 0\n"])
def test_cached_property_becomes_a_property_with_a_setter(later: str, files: Files) -> None:
    """What it had kept on instances goes, or stays where the update is rejected, without the new property."""
    module = files.load(a=CACHED)
    pattern = module.PATTERN
    new = CACHED.replace("def empty(self)", "def _empty(self)").replace(
        "    PATTERN =",
        "    @property\n        def empty(self):\n            return self._empty + 1\n"
        "        @empty.setter\n        def empty(self, value):\n            raise ValueError(value)\n    PATTERN =",
    )
    report = files.edit(a=new.replace("    @property", "        @property", 1) + later)
    if later:
        assert report.status == "rejected"
        assert vars(pattern) == {"empty": 1} and pattern.empty == 1
    else:
        assert report.status == "applied", report
        assert vars(pattern) == {} and pattern.empty == 2
