"""An IntFlag member gets another bit."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import IntFlag
class F(IntFlag):
    A = 1
    B = 2
def flags():
    return F.A | F.B
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import IntFlag
class F(IntFlag):
    A = 1
    B = 8
    C = 16
def flags():
    return F.A | F.B
''',
        ),
    ],
]


def setup(ns):
    ns.flags = ns.mod.flags


def check(ns):
    assert int(ns.flags()) == 9 and ns.mod.F(8) is ns.mod.F.B and int(~ns.mod.F.A & 31) in (24, 30)
    assert ns.mod.F.C | ns.mod.F.A == 17
