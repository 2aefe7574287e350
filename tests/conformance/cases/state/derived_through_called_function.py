"""A constant made by calling a function follows the function's new body."""
WEIGHT = 1
TAGS = ['state', 'derived']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def scale(x):
    return x * 2
LIMIT = scale(10)
TABLE = {'limit': LIMIT}
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'x * 2', 'x * 3'),
    ],
]


def check(ns):
    assert ns.mod.LIMIT == 30
    assert ns.mod.TABLE == {'limit': 30}
