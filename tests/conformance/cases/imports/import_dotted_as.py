"""`import a.b.c as d` and a plain dotted import see edits of the innermost module."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'a/__init__.py': '',
    'a/b/__init__.py': '',
    'a/b/c.py': '''\
X = 1
def f():
    return X
''',
    'mod.py': '''\
import a.b.c as d
import a.b.c
Y = d.X + 1
def get():
    return d.f(), a.b.c.X, Y
''',
}

STEPS = [
    [
        ('sub', 'a/b/c.py', 'X = 1', 'X = 5'),
    ],
]


def check(ns):
    assert ns.mod.get() == (5, 5, 6), ns.mod.get()
