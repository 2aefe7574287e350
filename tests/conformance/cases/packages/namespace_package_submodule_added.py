"""A module added to a namespace package is imported by an edited one beside it."""
WEIGHT = 1
TAGS = ['packages', 'held']
PYTHON = "3.8"
IMPORT = ["space.one"]

FILES = {
    'space/one.py': '''\
def f():
    return 1
''',
}

STEPS = [
    [
        ('write', 'space/two.py', '''\
def g():
    return 2
'''),
        ('write', 'space/one.py', '''\
from space.two import g
def f():
    return 1 + g()
'''),
    ],
]


def setup(ns):
    ns.f = ns.import_('space.one').f


def check(ns):
    assert ns.f() == 3
