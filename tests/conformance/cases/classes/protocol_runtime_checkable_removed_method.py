"""A protocol that loses a method accepts more."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import Protocol, runtime_checkable
@runtime_checkable
class RW(Protocol):
    def read(self): ...
    def write(self): ...
class R:
    def read(self):
        pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from typing import Protocol, runtime_checkable
@runtime_checkable
class RW(Protocol):
    def read(self): ...
class R:
    def read(self):
        pass
''',
        ),
    ],
]


def setup(ns):
    ns.r, ns.RW = ns.mod.R(), ns.mod.RW
    assert not isinstance(ns.r, ns.RW)


def check(ns):
    assert isinstance(ns.r, ns.RW) and ns.RW is ns.mod.RW
