"""A cached_property is added; when its body changes, values cached on instances are dropped."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from functools import cached_property
class A:
    def __init__(self, n):
        self.n = n
    def plain(self):
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
    def __init__(self, n):
        self.n = n
    @cached_property
    def value(self):
        return self.n * 2
    def plain(self):
        return self.n
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
from functools import cached_property
class A:
    def __init__(self, n):
        self.n = n
    @cached_property
    def value(self):
        return self.n * 3
    def plain(self):
        return self.n
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A(5)


def check_1(ns):
    assert ns.a.value == 10 and ns.a.__dict__["value"] == 10


def check(ns):
    assert ns.a.value == 15 and ns.a.n == 5
