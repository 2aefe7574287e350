"""A name removed from a module leaves its star importers."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
A = 1
B = 2
''',
    'mod.py': '''\
from lib import *
''',
}

STEPS = [
    [
        ('write', 'lib.py', '''\
A = 1
'''),
    ],
]


def check(ns):
    assert ns.mod.A == 1
    assert not hasattr(ns.mod, 'B')
