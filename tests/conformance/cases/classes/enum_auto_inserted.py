"""A member inserted before others made with auto(): values shift, identity by name is kept."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum, auto
class S(Enum):
    A = auto()
    B = auto()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum, auto
class S(Enum):
    FIRST = auto()
    A = auto()
    B = auto()
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.b = ns.mod.S.A, ns.mod.S.B


def check(ns):
    S = ns.mod.S
    assert ns.a is S.A and ns.a.value == 2 and S(2) is ns.a and S(1) is S.FIRST and S(3) is ns.b
    assert [m.name for m in S] == ["FIRST", "A", "B"]
