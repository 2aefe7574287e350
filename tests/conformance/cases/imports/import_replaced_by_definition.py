"""An import replaced by a definition of the same name, and back."""
WEIGHT = 1
TAGS = ['imports', 'held']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
def f():
    return 'lib'
''',
    'mod.py': '''\
from lib import f
def call():
    return f()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def f():
    return 'own'
def call():
    return f()
'''),
    ],
    [
        ('write', 'mod.py', '''\
from lib import f
def call():
    return f()
'''),
    ],
]


def setup(ns):
    ns.call = ns.mod.call


def check_1(ns):
    assert ns.call() == 'own'
    assert ns.lib.f() == 'lib'


def check(ns):
    assert ns.call() == 'lib'
    assert ns.lib.f() == 'lib'
