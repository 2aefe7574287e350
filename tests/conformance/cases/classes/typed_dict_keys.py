"""A TypedDict's keys and totality follow the source."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import TypedDict
class Opt(TypedDict):
    a: int
    b: str
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from typing import TypedDict
class Opt(TypedDict, total=False):
    a: int
    c: float
''',
        ),
    ],
]


def setup(ns):
    ns.Opt = ns.mod.Opt


def check(ns):
    O = ns.Opt
    assert O is ns.mod.Opt and list(O.__annotations__) == ["a", "c"] and O.__total__ is False
    assert O.__optional_keys__ == {"a", "c"} and O.__required_keys__ == frozenset()
    assert O(a=1) == {"a": 1}
