"""slots=True removed: live instances get a dict and keep their data."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
@dataclass(slots=True)
class P:
    x: int
    y: int = 3
POOL = [P(1)]
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
class P:
    x: int
    y: int = 4
POOL = [P(1)]
''',
        ),
    ],
]


def setup(ns):
    ns.pool = ns.mod.POOL


def check(ns):
    p = ns.pool[0]
    p.extra = 1
    assert (p.x, p.y) == (1, 3) and repr(p) == "P(x=1, y=3)" and ns.mod.P(5).y == 4
