"""Reordered fields: the new order holds for repr, positional arguments and match."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass, fields
@dataclass(order=True)
class P:
    x: int
    y: int
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass, fields
@dataclass(order=True)
class P:
    y: int
    x: int
''',
        ),
    ],
]


def setup(ns):
    ns.p, ns.q = ns.mod.P(x=1, y=2), ns.mod.P(x=2, y=1)


def check(ns):
    assert repr(ns.p) == "P(y=2, x=1)" and ns.mod.P(7, 8).y == 7
    assert ns.p > ns.q and ns.mod.P.__match_args__ == ("y", "x")
    assert [f.name for f in ns.mod.fields(ns.p)] == ["y", "x"]
    assert list(ns.mod.P.__annotations__) == ["y", "x"]
