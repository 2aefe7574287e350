"""A star importer gets names that are added, not private ones, and not over its own."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
A = 1
''',
    'mod.py': '''\
from lib import *
OWN = 'mine'
def get():
    return A
''',
}

STEPS = [
    [
        ('write', 'lib.py', '''\
A = 1
B = 2
_C = 3
OWN = 'theirs'
def f():
    return B
'''),
    ],
]


def check(ns):
    assert ns.mod.B == 2 and ns.mod.f() == 2
    assert not hasattr(ns.mod, '_C')
    assert ns.mod.OWN == 'mine'
