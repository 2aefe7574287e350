"""`__all__` edited: a star importer gets the added name and a new start's set of names."""
WEIGHT = 1
TAGS = ['state', 'imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
__all__ = ['a']
a = 1
b = 2
''',
    'mod.py': '''\
from lib import *
def get():
    return a, b
''',
}

STEPS = [
    [
        ('sub', 'lib.py', "['a']", "['a', 'b']"),
    ],
]


def check(ns):
    assert ns.mod.get() == (1, 2)
