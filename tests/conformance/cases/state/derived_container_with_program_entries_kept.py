"""A derived table that the program filled is kept as it is."""
WEIGHT = 1
TAGS = ['state', 'derived', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
NAME = 'x'
TABLE = {NAME: 1}
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "NAME = 'x'", "NAME = 'y'"),
    ],
]


def setup(ns):
    ns.table = ns.mod.TABLE
    ns.table['live'] = 2


def check(ns):
    assert ns.mod.TABLE['live'] == 2
    assert ns.table is ns.mod.TABLE
    assert ns.mod.NAME == 'y'
