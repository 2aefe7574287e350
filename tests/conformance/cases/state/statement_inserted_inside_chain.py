"""A statement inserted between two that bind one name sees the value of that place."""
WEIGHT = 1
TAGS = ['state', 'chains']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
N = 1
N += 10
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
N = 1
SEEN = N
N += 10
'''),
    ],
]


def check(ns):
    assert ns.mod.SEEN == 1, ns.mod.SEEN
    assert ns.mod.N == 11
