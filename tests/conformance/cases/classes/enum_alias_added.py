"""An alias is added and a member becomes an alias."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class S(Enum):
    A = 1
    B = 2
    C = 3
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum
class S(Enum):
    A = 1
    ALSO_A = 1
    B = 2
    C = 2
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.b = ns.mod.S.A, ns.mod.S.B


def check(ns):
    S = ns.mod.S
    assert S.ALSO_A is ns.a is S.A and S.C is ns.b is S.B
    assert list(S) == [ns.a, ns.b] and list(S.__members__) == ["A", "ALSO_A", "B", "C"]
