"""A removed `+=` is taken out of the value."""
WEIGHT = 1
TAGS = ['state', 'chains', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
PATHS = ['a']
PATHS += ['b']
TOTAL = 1
TOTAL += 2
NAMES = []
NAMES.append('x')
NAMES.append('y')
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
PATHS = ['a']
TOTAL = 1
NAMES = []
NAMES.append('y')
'''),
    ],
]


def setup(ns):
    ns.paths = ns.mod.PATHS


def check(ns):
    assert ns.mod.PATHS == ['a'], ns.mod.PATHS
    assert ns.mod.TOTAL == 1
    assert ns.mod.NAMES == ['y'], ns.mod.NAMES
    assert ns.paths is ns.mod.PATHS
