"""An edit that imports a missing module is refused, the old code runs; the file appears and the edit is applied."""
WEIGHT = 1
TAGS = ['failure', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def f():
    return 1
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import not_yet
def f():
    return not_yet.X
'''),
    ],
    [
        ('write', 'not_yet.py', '''\
X = 5
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == 1


def check(ns):
    assert ns.f() == 5
