"""An enum edited in its module is seen by a module that imported a member and matches on it."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'kinds.py': '''\
from enum import Enum
class K(Enum):
    A = 1
    B = 2
''',
    'user.py': '''\
from kinds import K
DEFAULT = K.A
def name(k=K.B):
    if k is K.A:
        return "a"
    if k is K.B:
        return "b"
    return "other"
''',
}

STEPS = [
    [
        (
            'write',
            'kinds.py',
            '''\
from enum import Enum
class K(Enum):
    A = "one"
    B = "two"
    C = "three"
''',
        ),
    ],
]


def setup(ns):
    ns.name = ns.user.name


def check(ns):
    assert ns.name() == "b" and ns.name(ns.user.DEFAULT) == "a" and ns.name(ns.kinds.K.C) == "other"
    assert ns.user.DEFAULT is ns.kinds.K.A and ns.user.DEFAULT.value == "one"
