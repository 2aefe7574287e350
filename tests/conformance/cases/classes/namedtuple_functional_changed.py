"""collections.namedtuple with another field list: the name holds the new class, importers too."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from collections import namedtuple
P = namedtuple("P", "x y")
def make():
    return P(1, 2)
''',
    'user.py': '''\
from mod import P
def use():
    return P(x=3, y=4)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from collections import namedtuple
P = namedtuple("P", "x y z", defaults=[0])
def make():
    return P(1, 2)
''',
        ),
    ],
]


def setup(ns):
    ns.use, ns.make = ns.user.use, ns.mod.make


def check(ns):
    assert ns.use() == (3, 4, 0) and ns.make().z == 0
    assert ns.user.P is ns.mod.P
