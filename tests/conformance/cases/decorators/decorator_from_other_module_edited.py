"""A decorator in another module changes; functions in two modules that use it follow."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'deco.py': '''\
import functools
def mark(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return ("old", fn(*a))
    return wrapper
''',
    'one.py': '''\
from deco import mark
@mark
def f(x):
    return x
''',
    'two.py': '''\
import deco
class A:
    @deco.mark
    def m(self, x):
        return x
''',
}

STEPS = [
    [
        (
            'write',
            'deco.py',
            '''\
import functools
def mark(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return ("new", len(a), fn(*a))
    return wrapper
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.a = ns.one.f, ns.two.A()
    ns.m = ns.a.m


def check(ns):
    assert ns.f(1) == ("new", 1, 1) and ns.a.m(1) == ("new", 2, 1) == ns.m(1)
