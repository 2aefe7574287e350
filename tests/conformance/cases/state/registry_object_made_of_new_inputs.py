"""An object full of closures, bound methods and weak references is derived when what makes it changed."""
WEIGHT = 1
TAGS = ["state", "derived"]
CONVERTER = """
import functools
import weakref


class Dispatch:
    __slots__ = ("owner", "pairs", "direct")

    def __init__(self, owner, pairs):
        self.owner = owner
        self.pairs = list(pairs)
        self.direct = {}


class Converter:
    def __init__(self, prefer_names=False):
        @functools.singledispatch
        def convert(value):
            raise TypeError(type(value).__name__)

        self.convert = convert
        self._weak = weakref.WeakKeyDictionary()
        for kind in (int, float):
            convert.register(kind, self._number)
        self.dispatch = Dispatch(self, [(lambda kind: kind is str, self._text)])
        self.options = {"names": prefer_names}
        self.options["count"] = 0
        self.options["count"] += 1

    def _number(self, value):
        return value + 1

    def _text(self, value):
        return value.upper()

    def structure(self, value):
        for test, handler in self.dispatch.pairs:
            if test(type(value)):
                return handler(value)
        return self.convert(value)
"""
APP = """
from converter import Converter

default = Converter()
used = Converter()
structure = default.structure


class Holder:
    converter = default
"""
FILES = {"converter.py": CONVERTER, "app.py": APP}
STEPS = [
    [
        ("sub", "converter.py", "for kind in (int, float):", "for kind in (int, float, bytes):"),
        ("sub", "converter.py", "return value + 1", "return value * 2"),
    ]
]


def setup(ns):
    ns.default, ns.structure, ns.used = ns.app.default, ns.app.structure, ns.app.used
    # Somebody uses this one.
    ns.used.dispatch.direct["mine"] = 1


def check(ns):
    assert ns.structure(b"a") == b"aa"
    assert ns.app.default is ns.default
    assert ns.app.Holder.converter is ns.default
    assert ns.default.dispatch.owner is ns.default
    assert ns.default.dispatch.pairs[0][1].__self__ is ns.default
    assert ns.used.dispatch.direct == {"mine": 1}
    assert ns.app.used is ns.used
