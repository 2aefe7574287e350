"""A NamedTuple gets a field in the middle: new tuples have it, old references to the class make them."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import NamedTuple
class P(NamedTuple):
    x: int
    y: int = 0
def make():
    return P(1)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from typing import NamedTuple
class P(NamedTuple):
    x: int
    name: str = "n"
    y: int = 0
    def label(self):
        return self.name
def make():
    return P(1)
''',
        ),
    ],
]


def setup(ns):
    ns.P, ns.make = ns.mod.P, ns.mod.make


def check(ns):
    assert ns.make() == (1, "n", 0) and ns.P(5)._fields == ("x", "name", "y")
    assert ns.P(1, "a", 2).y == 2 and ns.P(1).label() == "n"
    assert ns.P is ns.mod.P and ns.P._field_defaults == {"name": "n", "y": 0}
