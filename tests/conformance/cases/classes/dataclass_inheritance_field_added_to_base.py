"""A field added to a base dataclass is in the subclass's __init__, repr and eq."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
@dataclass
class Base:
    a: int = 1
@dataclass
class Sub(Base):
    b: int = 2
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass
@dataclass
class Base:
    a: int = 1
    c: int = 3
@dataclass
class Sub(Base):
    b: int = 2
''',
        ),
    ],
]


def setup(ns):
    ns.s = ns.mod.Sub(5, 6)


def check(ns):
    assert repr(ns.mod.Sub()) == "Sub(a=1, c=3, b=2)"
    assert repr(ns.s) == "Sub(a=5, c=3, b=6)" and ns.s == ns.mod.Sub(5, 3, 6)
