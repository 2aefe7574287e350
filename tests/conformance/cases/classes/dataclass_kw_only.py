"""kw_only=True: the constructor takes keywords only."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
@dataclass
class P:
    x: int
    y: int = 0
def make(x):
    return P(x, 1)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass
@dataclass(kw_only=True)
class P:
    x: int
    y: int = 0
def make(x):
    return P(x=x, y=1)
''',
        ),
    ],
]


def setup(ns):
    ns.p, ns.make = ns.mod.P(3), ns.mod.make


def check(ns):
    assert ns.make(3).y == 1 and ns.mod.P.__match_args__ == ()
    try:
        ns.mod.P(3)
    except TypeError:
        pass
    else:
        raise AssertionError("positional still accepted")
    assert ns.p == ns.mod.P(x=3)
