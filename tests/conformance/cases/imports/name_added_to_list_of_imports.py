"""A name added to an import statement leaves what the program put in the place of the others; those that changed at the source follow."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
A = 1
B = 2
C = 3
''',
    'user.py': '''\
from mod import A, B


def values():
    return A, B
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'A = 1', 'A = 10'),
        ('sub', 'user.py', 'import A, B', 'import A, B, C'),
        ('sub', 'user.py', 'return A, B', 'return A, B, C'),
    ],
]


def setup(ns):
    ns.user.B = "set by the program"


def check(ns):
    assert ns.user.values() == (10, "set by the program", 3)
