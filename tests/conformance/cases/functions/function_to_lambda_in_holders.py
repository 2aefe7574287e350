"""A `def` that becomes a lambda under the same name: a held reference and importers follow."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def f(x):
    return x
''',
    'user.py': '''\
from mod import f
def call(x):
    return f(x)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
f = lambda x: [x]
'''),
    ],
]


def setup(ns):
    ns.held = {'f': ns.mod.f}


def check(ns):
    assert ns.mod.f(1) == [1]
    assert ns.user.call(1) == [1]
    assert ns.held['f'](1) == [1]
