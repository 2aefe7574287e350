"""A class that becomes a function: users of the name call the function."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
class make:
    def __init__(self, x):
        self.x = x
''',
    'user.py': '''\
from mod import make
import mod
def build(x):
    return make(x), mod.make(x)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def make(x):
    return ('fn', x)
'''),
    ],
]


def setup(ns):
    ns.old = ns.mod.make(1)


def check(ns):
    assert ns.user.build(3) == (('fn', 3), ('fn', 3))
    assert ns.old.x == 1
