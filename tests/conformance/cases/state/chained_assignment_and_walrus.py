"""Chained assignment, a walrus and starred targets give all their names the new values."""
WEIGHT = 1
TAGS = ['state']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
A = B = 1
C = (D := 2) + 1
FIRST, *REST = [1, 2, 3]
(X, Y), Z = (1, 2), 3
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
A = B = 10
C = (D := 20) + 1
FIRST, *REST = [4, 5, 6]
(X, Y), Z = (1, 9), 3
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.A, m.B, m.C, m.D) == (10, 10, 21, 20)
    assert (m.FIRST, m.REST) == (4, [5, 6])
    assert (m.X, m.Y, m.Z) == (1, 9, 3)
