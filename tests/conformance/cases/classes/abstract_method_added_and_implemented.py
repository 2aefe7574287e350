"""An abstract method is added, then implemented: instantiation is refused, then allowed."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def a(self): ...
class Impl(Base):
    def a(self):
        return 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def a(self): ...
    @abstractmethod
    def b(self): ...
class Impl(Base):
    def a(self):
        return 1
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def a(self): ...
    @abstractmethod
    def b(self): ...
class Impl(Base):
    def a(self):
        return 1
    def b(self):
        return 2
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
from abc import ABC, abstractmethod
class Base(ABC):
    def a(self):
        return "base"
    @abstractmethod
    def b(self): ...
class Impl(Base):
    def b(self):
        return 2
''',
        ),
    ],
]


def setup(ns):
    ns.i, ns.Impl = ns.mod.Impl(), ns.mod.Impl


def check_1(ns):
    assert ns.i.a() == 1
    assert ns.Impl.__abstractmethods__ == {"b"}
    try:
        ns.Impl()
    except TypeError:
        pass
    else:
        raise AssertionError("abstract")


def check_2(ns):
    assert ns.Impl().b() == 2 and ns.i.b() == 2 and not ns.Impl.__abstractmethods__


def check(ns):
    assert ns.Impl().a() == "base" and ns.i.a() == "base"
    assert ns.mod.Base.__abstractmethods__ == {"b"}
