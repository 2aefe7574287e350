"""A decorator that begins to wrap instead of returning the function itself."""
WEIGHT = 1
TAGS = ['decorators']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def deco(fn):
    return fn
@deco
def f(x):
    return x
class A:
    @deco
    def m(self, x):
        return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def deco(fn):
    def wrapper(*a):
        return ("wrapped", fn(*a))
    return wrapper
@deco
def f(x):
    return x
class A:
    @deco
    def m(self, x):
        return x
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.a = ns.mod.f, ns.mod.A()


def check(ns):
    assert ns.mod.f(1) == ("wrapped", 1) == ns.f(1) and ns.a.m(1) == ("wrapped", 1)
