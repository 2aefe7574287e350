"""When the later of two assignments goes, the earlier one counts."""
WEIGHT = 1
TAGS = ['state', 'chains']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
LEVEL = 1
LEVEL = 2
def f():
    return 1
def f():
    return 2
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
LEVEL = 1
def f():
    return 1
'''),
    ],
]


def check(ns):
    assert ns.mod.LEVEL == 1
    assert ns.mod.f() == 1
