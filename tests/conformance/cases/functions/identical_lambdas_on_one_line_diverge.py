"""Two equal lambdas on one line become different: each element of the list has its own body."""
WEIGHT = 1
TAGS = ['functions']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
FS = [lambda x: x, lambda x: x]
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '[lambda x: x, lambda x: x]', '[lambda x: x, lambda x: -x]'),
    ],
]


def check(ns):
    assert [f(1) for f in ns.mod.FS] == [1, -1], [f(1) for f in ns.mod.FS]
