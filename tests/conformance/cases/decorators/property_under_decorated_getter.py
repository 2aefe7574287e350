"""A property whose getter is itself decorated, in a class with a cached one."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def twice(fn):
    @functools.wraps(fn)
    def wrapper(self):
        return fn(self) * 2
    return wrapper
class A:
    n = 3
    @property
    @twice
    def v(self):
        return self.n
    @property
    @functools.lru_cache(maxsize=None)
    def w(self):
        return self.n
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
def twice(fn):
    @functools.wraps(fn)
    def wrapper(self):
        return fn(self) * 20
    return wrapper
class A:
    n = 3
    @property
    @twice
    def v(self):
        return self.n + 1
    @property
    @functools.lru_cache(maxsize=None)
    def w(self):
        return self.n + 100
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    assert ns.a.w == 3


def check(ns):
    assert ns.a.v == 80 and ns.a.w == 103
