"""Lambdas in a default and in a class body get their new bodies."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def f(x, key=lambda v: v):
    return key(x)
class A:
    op = lambda self, v: v + 1
    table = {'k': lambda v: v}
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def f(x, key=lambda v: -v):
    return key(x)
class A:
    op = lambda self, v: v + 100
    table = {'k': lambda v: [v]}
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f
    ns.a = ns.mod.A()
    ns.k = ns.mod.A.table['k']


def check(ns):
    assert ns.f(3) == -3
    assert ns.a.op(1) == 101
    assert ns.k(1) == [1]
