"""One function changes its decorator; another one under the old decorator stays as it was."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def plus(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return fn(*a) + 1
    return wrapper
def minus(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return fn(*a) - 100
    return wrapper
@plus
def f(x):
    return x
@plus
def g(x):
    return x
class A:
    @plus
    def m(self, x):
        return x
    @plus
    def n(self, x):
        return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
def plus(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return fn(*a) + 1
    return wrapper
def minus(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return fn(*a) - 100
    return wrapper
@minus
def f(x):
    return x
@plus
def g(x):
    return x
class A:
    @minus
    def m(self, x):
        return x
    @plus
    def n(self, x):
        return x
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.g, ns.a = ns.mod.f, ns.mod.g, ns.mod.A()
    ns.m, ns.n = ns.a.m, ns.a.n


def check(ns):
    assert ns.mod.f(1) == -99 and ns.f(1) == -99 and ns.mod.g(1) == 2 and ns.g(1) == 2
    assert ns.a.m(1) == -99 and ns.m(1) == -99 and ns.a.n(1) == 2 and ns.n(1) == 2
    assert ns.mod.f.__name__ == "f" and ns.mod.f.__wrapped__(1) == 1
