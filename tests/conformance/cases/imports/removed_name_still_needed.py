"""A removed name that an importer still needs: the update is applied, callers in the importer go on with what they hold."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
A = 1
B = 2
''',
    'mod.py': '''\
from lib import A, B
def get():
    return A, B
''',
}

STEPS = [
    [
        ('write', 'lib.py', '''\
A = 10
'''),
    ],
]


def check(ns):
    assert ns.lib.A == 10 and not hasattr(ns.lib, 'B')
    assert ns.mod.get() == (10, 2), ns.mod.get()
