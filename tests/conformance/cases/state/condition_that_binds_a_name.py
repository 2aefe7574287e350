"""A name that a condition binds follows when the condition is edited."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
if (n := 10) > 5:
    BIG = n
else:
    BIG = 0
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
if (n := 3) > 5:
    BIG = n
else:
    BIG = 0
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.n, m.BIG) == (3, 0), (m.n, m.BIG)
