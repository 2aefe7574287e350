"""Code held by map, filter, partialmethod, MethodType, sorted keys and weakref callbacks is new."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import functools
def f(x):
    return x + 1
def pred(x):
    return x > 1
def m(self, x=0):
    return ('m', x)
class A:
    pm = functools.partialmethod(m, 5)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import functools
def f(x):
    return x + 100
def pred(x):
    return x < 1
def m(self, x=0):
    return ('new', x)
class A:
    pm = functools.partialmethod(m, 5)
'''),
    ],
]


def setup(ns):
    import types, itertools
    ns.a = ns.mod.A()
    ns.mapped = map(ns.mod.f, [1, 2])
    ns.filtered = filter(ns.mod.pred, [0, 1, 2])
    ns.bound = types.MethodType(ns.mod.m, object())
    ns.starred = itertools.starmap(ns.mod.f, [(7,)])


def check(ns):
    assert list(ns.mapped) == [101, 102]
    assert list(ns.filtered) == [0]
    assert ns.bound(3) == ('new', 3)
    assert ns.a.pm() == ('new', 5)
    assert next(ns.starred) == 107
