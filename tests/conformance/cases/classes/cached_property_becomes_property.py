"""A cached_property that becomes a property no longer answers from the cache."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from functools import cached_property
class A:
    n = 1
    @cached_property
    def value(self):
        return self.n
    @property
    def other(self):
        return self.n
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from functools import cached_property
class A:
    n = 1
    @property
    def value(self):
        return self.n * 10
    @cached_property
    def other(self):
        return self.n * 100
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    assert ns.a.value == 1 and ns.a.other == 1


def check(ns):
    ns.a.n = 2
    assert ns.a.value == 20 and ns.a.other == 200
    ns.a.n = 3
    assert ns.a.other == 200 and ns.a.value == 30
