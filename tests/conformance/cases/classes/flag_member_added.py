"""A Flag gets a member; combinations made before work with the new ones."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Flag, auto
class Perm(Flag):
    R = auto()
    W = auto()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Flag, auto
class Perm(Flag):
    R = auto()
    W = auto()
    X = auto()
    ALL = R | W | X
    def can_write(self):
        return bool(self & Perm.W)
''',
        ),
    ],
]


def setup(ns):
    ns.rw, ns.r = ns.mod.Perm.R | ns.mod.Perm.W, ns.mod.Perm.R


def check(ns):
    P = ns.mod.Perm
    assert ns.r is P.R and (ns.rw | P.X) == P.ALL and ns.rw.can_write()
    assert ns.rw == (P.R | P.W) and P.X in P.ALL and isinstance(ns.rw, P)
    assert P.ALL.value == 7 and (P.R | P.W) & P.W is P.W
