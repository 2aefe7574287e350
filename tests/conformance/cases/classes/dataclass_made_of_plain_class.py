"""@dataclass added to a plain class: live instances get repr and eq."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class P:
    def __init__(self, x, y=0):
        self.x, self.y = x, y
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
    y: int = 0
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(4)


def check(ns):
    assert repr(ns.p) == "P(x=4, y=0)" and ns.p == ns.mod.P(4) and ns.mod.P(1).y == 0
