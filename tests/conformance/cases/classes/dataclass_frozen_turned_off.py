"""frozen=True removed: live instances can be assigned to."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
@dataclass(frozen=True)
class P:
    x: int = 1
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
    x: int = 1
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(4)


def check(ns):
    ns.p.x = 5
    assert ns.p == ns.mod.P(5)
    try:
        hash(ns.p)
    except TypeError:
        pass
    else:
        raise AssertionError("an eq dataclass that is not frozen is not hashable")
