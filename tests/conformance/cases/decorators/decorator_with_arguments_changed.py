"""The arguments of a decorator change on a function, a method and a static method."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def scale(n):
    def deco(fn):
        def wrapper(*a):
            return fn(*a) * n
        return wrapper
    return deco
@scale(2)
def f(x):
    return x
class A:
    @scale(2)
    def m(self, x):
        return x
    @staticmethod
    @scale(2)
    def s(x):
        return x
    @classmethod
    @scale(2)
    def c(cls, x):
        return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def scale(n):
    def deco(fn):
        def wrapper(*a):
            return fn(*a) * n
        return wrapper
    return deco
@scale(10)
def f(x):
    return x
class A:
    @scale(10)
    def m(self, x):
        return x
    @staticmethod
    @scale(10)
    def s(x):
        return x
    @classmethod
    @scale(10)
    def c(cls, x):
        return x
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.a = ns.mod.f, ns.mod.A()
    ns.m = ns.a.m


def check(ns):
    assert ns.f(1) == 10 == ns.mod.f(1) and ns.a.m(1) == 10 == ns.m(1)
    assert ns.a.s(1) == 10 == ns.mod.A.s(1) and ns.a.c(1) == 10
