"""A name taken out of `__all__` leaves the star importer."""
WEIGHT = 1
TAGS = ['state', 'imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
__all__ = ['a', 'b']
a = 1
b = 2
''',
    'mod.py': '''\
from lib import *
''',
}

STEPS = [
    [
        ('sub', 'lib.py', "['a', 'b']", "['a']"),
    ],
]


def check(ns):
    assert ns.mod.a == 1
    assert not hasattr(ns.mod, 'b')
