"""A function that gains a `global` statement writes the module's name."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
COUNT = 0
def bump():
    COUNT = 5
    return COUNT
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
COUNT = 0
def bump():
    global COUNT
    COUNT += 1
    return COUNT
'''),
    ],
]


def setup(ns):
    ns.bump = ns.mod.bump
    ns.mod.COUNT = 7


def check(ns):
    assert ns.bump() == 8 and ns.mod.COUNT == 8
