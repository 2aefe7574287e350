"""A derived value that the program changed stays; the others follow."""
WEIGHT = 1
TAGS = ['state', 'derived']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
BASE = 10
ONE = BASE + 1
TWO = BASE + 2
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'BASE = 10', 'BASE = 20'),
    ],
]


def setup(ns):
    ns.mod.ONE = 99


def check(ns):
    assert ns.mod.ONE == 99
    assert ns.mod.TWO == 22
