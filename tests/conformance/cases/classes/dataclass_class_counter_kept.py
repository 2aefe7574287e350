"""A class-level counter and container that the program changed stay when a field is added."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
from typing import ClassVar
@dataclass
class P:
    x: int = 1
    made: ClassVar[int] = 0
    seen: ClassVar[list] = []
    def __post_init__(self):
        P.made += 1
        P.seen.append(self.x)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass
from typing import ClassVar
@dataclass
class P:
    x: int = 1
    made: ClassVar[int] = 0
    seen: ClassVar[list] = []
    y: int = 2
    def __post_init__(self):
        P.made += 1
        P.seen.append(self.x)
''',
        ),
    ],
]


def setup(ns):
    ns.P = ns.mod.P
    ns.keep = [ns.P(5), ns.P(6)]
    ns.count = ns.P.made


def check(ns):
    ns.P(7)
    assert ns.mod.P.made == ns.count + 1 and ns.mod.P.seen[:2] == [5, 6]
    assert ns.keep[0].y == 2
