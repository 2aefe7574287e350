"""A changed file imports a name that another changed file adds in the same save."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
A = 1
''',
    'mod.py': '''\
from lib import A
def get():
    return A
''',
    'third.py': '''\
import mod
def get():
    return mod.get()
''',
}

STEPS = [
    [
        ('write', 'lib.py', '''\
A = 1
B = 2
def make():
    return 3
class K:
    pass
'''),
        ('write', 'mod.py', '''\
from lib import A, B, make, K
TOTAL = A + B + make()
OBJ = K()
def get():
    return TOTAL
'''),
    ],
]


def check(ns):
    assert ns.third.get() == 6
    assert type(ns.mod.OBJ) is ns.lib.K
