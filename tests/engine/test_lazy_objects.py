"""Objects that a program sets up at their first use are never used by an update."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotswap

LAZY = """\
    TOUCHED = []
    def answering(name):
        def ask(self, *given):
            TOUCHED.append(name)
            return NotImplemented if name in ("__eq__", "__ne__") else 1
        return ask
    class Lazy:
        "Answers for every attribute, as a proxy of an object that is not there yet."
        __class__ = property(answering("__class__"))
        def __getattribute__(self, name):
            TOUCHED.append(name)
            raise RuntimeError("it is not set up")
        def __setattr__(self, name, value):
            TOUCHED.append("set " + name)
        def __call__(self, *given, **named):
            TOUCHED.append("call")
    class Proxy:
        "Answers for what it lacks, and for some things that every object has."
        __class__, __dict__, __wrapped__ = (property(answering(n)) for n in ("__class__", "__dict__", "__wrapped__"))
        def __init__(self):
            self.held = None
        def __getattr__(self, name):
            TOUCHED.append(name)
            raise RuntimeError("it is not set up")
    for name in ("__eq__", "__ne__", "__hash__", "__bool__", "__len__", "__repr__", "__iter__", "__contains__"):
        for kind in (Lazy, Proxy):
            setattr(kind, name, answering(name))
    for name in ("__doc__", "__module__"):
        setattr(Proxy, name, property(answering(name)))
    """

PROGRAM = """\
    import dataclasses
    import enum
    import functools
    from {lazy} import Lazy, Proxy
    REGISTRY = {{}}
    HANDLERS = []
    LIMIT = 3
    DOUBLE = LIMIT * 2
    first = Lazy()
    second = Proxy()
    BOTH = [first, second]
    TABLE = {{"first": first, "second": second}}
    PAIR = (first, second, LIMIT)
    def helper(x): return 1
    def register(function):
        HANDLERS.append(function)
        REGISTRY[function.__name__] = function
        HANDLERS.append(first)
        REGISTRY["lazy"] = second
        return function
    def plain(a=first, *, b=second): return helper(a)
    @register
    def handler(): return first
    @functools.lru_cache
    def cached(x): return helper(x)
    part = functools.partial(plain, first, b=second)
    class Base:
        lazy = first
        proxy = second
        limit = LIMIT
        def __init_subclass__(cls, **named): REGISTRY[cls.__name__] = cls
        def __init__(self): self.lazy = first; self.proxy = second
        def method(self, a=first): return helper(1)
    class Child(Base):
        other = second
        def method(self): return super().method()
    class Slotted:
        __slots__ = ("a", "b")
        def __init__(self): self.a = first; self.b = second
    @dataclasses.dataclass
    class Data:
        a: object = dataclasses.field(default_factory=lambda: first)
        b: int = 1
    class Color(enum.Enum):
        RED = 1
        BLUE = 2
    def outer():
        one, two = first, second
        def inner(): return helper(one), two
        return inner
    inner = outer()
    INSTANCE, CHILD, SLOTTED, DATA = Base(), Child(), Slotted(), Data()
    DERIVED = helper(LIMIT)
    for each in (first, second):
        HANDLERS.append(each)
    """

EDITS = {
    "body": ("return 1", "return 2"),
    "constant": ("LIMIT = 3", "LIMIT = 4"),
    "defaults": ("plain(a=first, *, b=second)", "plain(a=second, *, b=first)"),
    "decorator": ("HANDLERS.append(function)", "HANDLERS.insert(0, function)"),
    "registered": ("def handler(): return first", "def other_handler(): return second"),
    "new attribute": ("self.proxy = second", "self.proxy = second; self.more = first"),
    "class attribute": ("limit = LIMIT", "limit = LIMIT + 1; again = first"),
    "bases": ("class Child(Base):", "class Mixin: pass\nclass Child(Base, Mixin):"),
    "slots": ('__slots__ = ("a", "b")', '__slots__ = ("a", "b", "c")'),
    "field": ("b: int = 1", "b: int = 1; c: int = 2"),
    "member": ("BLUE = 2", "BLUE = 3; GREEN = 4"),
    "closure": ("return helper(one), two", "return helper(two), one"),
    "list": ("BOTH = [first, second]", "BOTH = [first, second, 3]"),
    "table": ('"second": second}', '"second": second, "third": first}'),
    "tuple": ("PAIR = (first, second, LIMIT)", "PAIR = (second, first, LIMIT)"),
    "loop": ("for each in (first, second):", "for each in (second, first):"),
    "rename": ("outer()", "outermost()"),
    "removed": ("@functools.lru_cache\ndef cached(x): return helper(x)\n", ""),
    "itself": ("first = Lazy()", "first = Lazy(); LATER = 1"),
    "rejected": ("DERIVED = helper(LIMIT)", "DERIVED = 1 / 0"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


@pytest.mark.parametrize("edit", EDITS)
def test_an_update_does_not_use_them(folder: Path, edit: str) -> None:
    mark = edit.replace(" ", "_")
    lazy, file = f"lazy_objects_{mark}", folder / f"lazy_objects_program_{mark}.py"
    (folder / f"{lazy}.py").write_text(textwrap.dedent(LAZY))
    text = textwrap.dedent(PROGRAM).format(lazy=lazy)
    file.write_text(text)
    (folder / f"lazy_objects_user_{mark}.py").write_text(
        f"from {file.stem} import *\nfrom {file.stem} import first as mine\ndef use(x=mine): return x\n"
    )
    importlib.invalidate_caches()
    importlib.import_module(f"lazy_objects_user_{mark}")
    hotswap.sync()
    touched = sys.modules[lazy].TOUCHED
    touched.clear()
    old, new = EDITS[edit]
    assert old in text
    file.write_text(text.replace(old, new))
    report = hotswap.sync()
    assert touched == []
    assert report.status == ("rejected" if edit == "rejected" else "applied")
    str(report), report.to_dict()
    assert touched == []
