"""Modules that import each other follow each other's constants."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'a.py': '''\
import b
X = 1
def get():
    return X + b.Y
''',
    'b.py': '''\
import a
Y = 10
def get():
    return a.X + Y
''',
}

STEPS = [
    [
        ('sub', 'a.py', 'X = 1', 'X = 2'),
    ],
    [
        ('sub', 'b.py', 'Y = 10', 'Y = 20'),
    ],
]


def check(ns):
    assert ns.a.get() == 22 and ns.b.get() == 22
