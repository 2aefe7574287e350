"""Edited top-level `while` and `match` give the new values."""
WEIGHT = 1
TAGS = ['state', 'blocks']
PYTHON = "3.10"

FILES = {
    'mod.py': '''\
KIND = 'b'
N = 0
while N < 3:
    N += 1
match KIND:
    case 'a':
        V = 1
    case _:
        V = 2
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'N < 3', 'N < 5'),
        ('sub', 'mod.py', 'V = 2', 'V = 3'),
    ],
    [
        ('sub', 'mod.py', "KIND = 'b'", "KIND = 'a'"),
    ],
]


def check_1(ns):
    assert ns.mod.N == 5, ns.mod.N
    assert ns.mod.V == 3, ns.mod.V


def check(ns):
    assert ns.mod.N == 5
    assert ns.mod.V == 1
