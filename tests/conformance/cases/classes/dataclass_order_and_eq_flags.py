"""order=True and eq=False: comparison methods come and go with the flags."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
@dataclass
class P:
    x: int
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass
@dataclass(order=True)
class P:
    x: int
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass
@dataclass(eq=False, repr=False)
class P:
    x: int
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.b = ns.mod.P(1), ns.mod.P(2)


def check_1(ns):
    assert ns.a < ns.b and sorted([ns.b, ns.a]) == [ns.a, ns.b]


def check(ns):
    assert ns.a != ns.mod.P(1) and hash(ns.a) == object.__hash__(ns.a)
    assert not hasattr(ns.a, "__dataclass_params__") or ns.a.__dataclass_params__.eq is False
    assert repr(ns.a).startswith("<")
    try:
        ns.a < ns.b
    except TypeError:
        pass
    else:
        raise AssertionError("order should be gone")
