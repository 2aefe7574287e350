"""A class that becomes a factory function: callers get what the new source gives."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class make:
    def __init__(self, n):
        self.n = n
def use():
    return make(3).n
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from types import SimpleNamespace
def make(n):
    return SimpleNamespace(n=n * 2)
def use():
    return make(3).n
''',
        ),
    ],
]


def setup(ns):
    ns.make, ns.use = ns.mod.make, ns.mod.use


def check(ns):
    assert ns.use() == 6 and ns.mod.make(2).n == 4
    assert not isinstance(ns.mod.make, type)
