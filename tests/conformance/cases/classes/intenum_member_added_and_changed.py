"""IntEnum: an unchanged member keeps its identity, a changed one has the new number everywhere."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import IntEnum
class Level(IntEnum):
    LOW = 1
    HIGH = 2
LIMITS = [Level.LOW, Level.HIGH]
def get():
    return Level.HIGH
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import IntEnum
class Level(IntEnum):
    LOW = 1
    MID = 5
    HIGH = 10
LIMITS = [Level.LOW, Level.HIGH]
def get():
    return Level.HIGH
''',
        ),
    ],
]


def setup(ns):
    ns.low, ns.get = ns.mod.Level.LOW, ns.mod.get


def check(ns):
    L = ns.mod.Level
    assert ns.low is L.LOW and ns.get() == 10 and ns.get() is L.HIGH and L(5) is L.MID
    assert ns.mod.LIMITS == [1, 10] and ns.mod.LIMITS[1] is L.HIGH
    assert sorted(L) == [L.LOW, L.MID, L.HIGH] and L.LOW < L.MID
