"""A removed field is gone from repr, eq and __init__; live instances go on."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass, asdict, replace
@dataclass
class P:
    x: int = 1
    y: int = 2
def dump(p):
    return asdict(p)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass, asdict, replace
@dataclass
class P:
    x: int = 1
def dump(p):
    return asdict(p)
''',
        ),
    ],
]


def setup(ns):
    ns.p, ns.dump = ns.mod.P(5, 6), ns.mod.dump


def check(ns):
    assert repr(ns.p) == "P(x=5)" and ns.p == ns.mod.P(5) and ns.dump(ns.p) == {"x": 5}
    assert ns.mod.P.__match_args__ == ("x",)
    assert not hasattr(ns.mod.P, "y")
    try:
        ns.mod.P(1, 2)
    except TypeError:
        pass
    else:
        raise AssertionError("y should be gone")
