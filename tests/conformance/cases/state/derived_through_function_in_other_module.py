"""A constant made by a pure function of another module follows that function's body."""
WEIGHT = 1
TAGS = ['state', 'derived']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
def join(a, b):
    return a + '-' + b
''',
    'mod.py': '''\
from lib import join as glue
KEY = glue('a', 'b')
''',
}

STEPS = [
    [
        ('sub', 'lib.py', "'-'", "'_'"),
    ],
]


def check(ns):
    assert ns.mod.KEY == 'a_b', ns.mod.KEY
