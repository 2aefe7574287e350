"""A function renamed together with its importer, in one save."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def load(x):
    return [x]
''',
    'user.py': '''\
from mod import load
def run(x):
    return load(x)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def read(x):
    return [x]
'''),
        ('write', 'user.py', '''\
from mod import read
def run(x):
    return read(x) + ['new']
'''),
    ],
]


def setup(ns):
    ns.run = ns.user.run
    ns.load = ns.mod.load


def check(ns):
    assert ns.run(1) == [1, 'new']
    assert not hasattr(ns.user, 'load') and ns.mod.read is ns.load
