"""A cached method's body and a cached static method's body change."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
class A:
    @functools.lru_cache(maxsize=None)
    def m(self, x):
        return ("old", x)
    @staticmethod
    @functools.lru_cache(maxsize=None)
    def s(x):
        return ("old", x)
    @classmethod
    @functools.lru_cache(maxsize=None)
    def c(cls, x):
        return ("old", x)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
class A:
    @functools.lru_cache(maxsize=None)
    def m(self, x):
        return ("new", x)
    @staticmethod
    @functools.lru_cache(maxsize=None)
    def s(x):
        return ("new", x)
    @classmethod
    @functools.lru_cache(maxsize=None)
    def c(cls, x):
        return ("new", x)
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    ns.a.m(1), ns.a.s(1), ns.a.c(1)


def check(ns):
    assert ns.a.m(1) == ("new", 1) and ns.a.s(1) == ("new", 1) and ns.a.c(1) == ("new", 1)
