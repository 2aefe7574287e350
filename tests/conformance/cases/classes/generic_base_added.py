"""Generic[T] as a new base: subscripting works, instances stay."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import Generic, TypeVar
T = TypeVar("T")
class Box:
    def __init__(self, v):
        self.v = v
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from typing import Generic, TypeVar
T = TypeVar("T")
class Box(Generic[T]):
    def __init__(self, v):
        self.v = v
    def get(self):
        return self.v
''',
        ),
    ],
]


def setup(ns):
    ns.b = ns.mod.Box(3)


def check(ns):
    assert ns.mod.Box[int](4).get() == 4 and ns.b.get() == 3 and isinstance(ns.b, ns.mod.Box)
    assert ns.mod.Box.__parameters__ == (ns.mod.T,)
