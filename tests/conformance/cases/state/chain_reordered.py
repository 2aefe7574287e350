"""Statements that augment one name and change places give the value of the new order."""
WEIGHT = 1
TAGS = ['state', 'chains']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
N = 2
N += 3
N *= 10
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
N = 2
N *= 10
N += 3
'''),
    ],
]


def check(ns):
    assert ns.mod.N == 23, ns.mod.N
