"""A metaclass gets another base in the save in which a base of its classes becomes an ABC."""

WEIGHT = 2
TAGS = ["classes"]
PYTHON = "3.8"

FILES = {
    "base.py": """\
class SchemaABC:
    def dump(self): raise NotImplementedError
""",
    "mod.py": """\
import base
class Meta(type):
    def __new__(mcs, name, bases, ns):
        k = super().__new__(mcs, name, bases, ns)
        k.tag = name.lower()
        return k
class Schema(base.SchemaABC, metaclass=Meta):
    def dump(self): return 1
class Sub(Schema): pass
""",
}

STEPS = [
    [
        (
            "write",
            "base.py",
            """\
from abc import ABC, abstractmethod
class SchemaABC(ABC):
    @abstractmethod
    def dump(self): ...
""",
        ),
        (
            "write",
            "mod.py",
            """\
import base
from abc import ABCMeta
class Meta(ABCMeta):
    def __new__(mcs, name, bases, ns):
        k = super().__new__(mcs, name, bases, ns)
        k.tag = name.lower()
        return k
class Schema(base.SchemaABC, metaclass=Meta):
    def dump(self): return 1
class Sub(Schema): pass
""",
        ),
    ],
]


def setup(ns):
    ns.s = ns.mod.Sub()


def check(ns):
    m = ns.mod
    assert (ns.s.dump(), isinstance(ns.s, m.base.SchemaABC), isinstance(ns.s, m.Schema), m.Sub.tag) == (
        1,
        True,
        True,
        "sub",
    ), (ns.s.dump(), isinstance(ns.s, m.base.SchemaABC), isinstance(ns.s, m.Schema), m.Sub.tag)
    assert ([type(k).__name__ for k in m.Sub.__mro__]) == ["Meta", "Meta", "ABCMeta", "ABCMeta", "type"], [
        type(k).__name__ for k in m.Sub.__mro__
    ]
    assert (sorted(m.base.SchemaABC.__abstractmethods__)) == ["dump"], sorted(
        m.base.SchemaABC.__abstractmethods__
    )
