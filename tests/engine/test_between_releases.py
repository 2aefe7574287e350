"""What edits between releases of larger packages come to: each was found by replaying one."""

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
        self.prefix = f"between{next(_numbers)}"

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


@pytest.mark.parametrize("slots", ['("b", "a")', '["a", "b"]', '{"a": "One.", "b": None}'])
def test_slots_that_only_look_different(files: Files, slots: str) -> None:
    text = """\
        class Point:
            __slots__ = ("a", "b")
            def __init__(self):
                self.a, self.b = 1, 2
        POINT = Point()
        """
    module = files.load(a=text)
    kind, point = module.Point, module.POINT
    point.a = 5
    assert files.edit(a=text.replace('("a", "b")', slots)).status == "applied"
    assert module.Point is kind and module.POINT is point and (point.a, point.b) == (5, 2)
    assert kind.__slots__ == eval(slots)


def test_a_method_behind_a_hook_of_a_plugin(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin puts hooks on classes of its framework during an update, also when that is what is edited."""
    from hotswap import _plugins
    from hotswap.integrations._registrations import Hooks

    text = "class Group:\n    def add(self, name):\n        return 'old', name\nGROUP = Group()\n"
    module = files.load(a=text)
    hooks = Hooks()
    hooks.add(module.Group, "add", lambda plugin, original, *given: original(*given))

    class Plugin:
        def begin(self) -> None:
            hooks.install(self)

        def end(self, report: object) -> list[str]:
            hooks.remove()
            return []

    monkeypatch.setattr(_plugins, "_loaded", [Plugin])
    add = module.Group.add
    header = "class Base: pass\n"
    report = files.edit(a=header + text.replace("'old'", "'new'").replace("Group:", "Group(Base):"))
    assert report.status == "applied"
    assert module.Group.add is add and module.GROUP.add(1) == ("new", 1)


def test_the_package_around_a_module_comes_first(files: Files) -> None:
    files.load(
        _first="",
        __in____init__="from {0}.base import BASE\nfrom {0}.leaf import OLD\n",
        __in__other="",
        __in__base="from {0} import other\nBASE = 1\n",
        __in__leaf="from {0}.base import BASE\nOLD = 1\n",
    )
    # What is staged first comes to the innermost module first.
    report = files.edit(
        _first="from {0}.leaf import NEW\n",
        __in____init__="from {0}.base import BASE\nfrom {0}.leaf import NEW, OLD\n",
        __in__other="OTHER = 1\n",
        __in__base="from {0} import other\nBASE = 2\n",
        __in__leaf="from {0}.base import BASE\nOLD = 1\nNEW = BASE\n",
    )
    assert report.status == "applied", report
    assert sys.modules[files.prefix].NEW == 2


def test_what_lacks_a_member_runs_again_after_the_commit(files: Files) -> None:
    """The instance lives, and only at the commit becomes one of the class that has the method."""
    made = """\
        class Base:
            __slots__ = ("held",)
            def one(self): return 1
        class Converter(Base):
            __slots__ = ()
        """
    top = "from {0}_made import Converter\nCONVERTER = Converter()\none = CONVERTER.one\n"
    module = files.load(_top=top, _made=made)
    new = made.replace('("held",)', '("held", "more")')
    new = new.replace("def one", "def two(self): return 2\n            def one")
    report = files.edit(_top=top + "two = CONVERTER.two\n", _made=new)
    assert report.status == "applied", report
    assert module.two() == 2 and module.two.__self__ is module.CONVERTER
    assert type(module.CONVERTER) is sys.modules[f"{files.prefix}_made"].Converter


@pytest.mark.parametrize("docstring", ["Another.", "What it does now, in more words than before, and why."])
def test_copies_of_a_docstring(files: Files, docstring: str) -> None:
    text = """\
        class Dispatch:
            def __init__(self, function):
                self.__wrapped__ = function
                self.original = function.__doc__
                self.made = "Dispatched.\\n\\n" + function.__doc__
        @Dispatch
        def work():
            "What it does, in words that nobody else would have written down."
        """
    module = files.load(a=text)
    work = module.work
    old = "What it does, in words that nobody else would have written down."
    files.edit(a=text.replace(old, docstring))
    assert module.work is work
    assert work.original == docstring
    assert work.made == "Dispatched.\n\n" + docstring


def test_a_registry_that_is_a_mapping_keeps_the_order_of_the_source(files: Files) -> None:
    text = """\
        REGISTRY = {}
        def register(function):
            sorted(REGISTRY)
            REGISTRY[function.__name__] = function
            return function
        @register
        def first(): pass
        @register
        def third(): pass
        """
    module = files.load(a=text)
    between = "@register\n        def second(): pass\n        @register\n        def third"
    files.edit(a=text.replace("@register\n        def third", between))
    assert list(module.REGISTRY) == ["first", "second", "third"]


def test_a_branch_that_did_not_run_does_not_run(files: Files) -> None:
    text = """\
        import os
        class Dispatch:
            size = 1
        if os.environ.get("THERE_IS_NO_SUCH_VARIABLE"):
            _original = Dispatch
            def Dispatch():
                return _original()
        """
    module = files.load(a=text)
    files.edit(a=text.replace("Dispatch", "Dispatcher").replace("size = 1", "size = 2"))
    assert isinstance(module.Dispatcher, type) and module.Dispatcher.size == 2
    assert not hasattr(module, "_original") and not hasattr(module, "Dispatch")


def test_a_function_that_loses_its_decorator(files: Files) -> None:
    """The wrappers of one decorator share their code, which is not that of the function."""
    text = """\
        def deprecated(function):
            def func(*given, held=None): return (held or function.__name__, *given)
            func = type(func)(func.__code__, globals(), "func", None, func.__closure__)
            func.__kwdefaults__ = {"held": function.__name__}
            func.__qualname__, func.__module__ = function.__qualname__, function.__module__
            return func
        @deprecated
        def one(x): return 1
        @deprecated
        def two(x): return 2
        """
    text = text.replace("held or function.__name__", "held")
    module = files.load(a=text)
    one, two = module.one, module.two
    assert one(0) == ("one", 0) and two(0) == ("two", 0)
    files.edit(a=text.replace("@deprecated\n        def one", "def one"))
    assert module.one(0) == 1 and module.two(0) == ("two", 0) and two(0) == ("two", 0)


def test_a_record_of_a_decorator_that_is_gone(files: Files) -> None:
    text = """\
        REGISTRY = {}
        class Dispatch:
            def __init__(self, function):
                if function.__name__ in REGISTRY:
                    raise KeyError(function.__name__)
                self.__wrapped__ = function
                REGISTRY[function.__name__] = self
        @Dispatch
        def one(): return 1
        @Dispatch
        def two(): return 2
        """
    module = files.load(a=text)
    report = files.edit(
        a=text.replace("Dispatch", "Dispatcher").replace("self.__wrapped__", "self.more = self.__wrapped__")
    )
    assert report.status == "applied", report
    assert [type(each).__name__ for each in module.REGISTRY.values()] == ["Dispatcher", "Dispatcher"]


def test_an_instance_in_the_keys_of_a_bounded_cache(files: Files) -> None:
    """A result that is hashed by its content is not told from a key: then the cache is emptied."""
    text = """\
        import functools
        class Point:
            __slots__ = ("x",)
            def __init__(self, x): self.x = x
        @functools.lru_cache(maxsize=8)
        def look(*points): return points[:1]
        POINT = Point(1)
        """
    module = files.load(a=text)
    for count in (1, 2, 3):
        assert module.look(*[module.POINT] * count) == (module.POINT,)
    report = files.edit(a=text.replace('("x",)', '("x", "y")'))
    assert report.status == "applied", report
    module.POINT.y = 2
    assert module.look(module.POINT) == (module.POINT,) and module.look.cache_info().hits == 0
    assert type(module.POINT) is module.Point
