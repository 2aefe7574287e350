"""A file whose last statement raises changes nothing: constants, functions, containers, classes."""
WEIGHT = 1
TAGS = ['failure', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
A = 1
T = {'a': 1}
L = [1]
def f():
    return A
class K:
    x = 1
    def m(self):
        return 1
''',
}

STEPS = [
    [
        # A save that works, so that there is something to go back to.
        ('sub', 'mod.py', 'A = 1', 'A = 9'),
    ],
    [
        ('write', 'mod.py', '''\
A = 2
T = {'a': 2, 'b': 3}
L = [1]
L.append(2)
NEW = 5
def f():
    return -A
class K:
    x = 2
    y = 3
    def m(self):
        return 2
raise ValueError('late')
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f
    ns.k = ns.mod.K()


def check_1(ns):
    assert ns.f() == 9


def check(ns):
    m = ns.mod
    assert (m.A, m.T, m.L, ns.f(), ns.k.m(), m.K.x) == (9, {'a': 1}, [1], 9, 1, 1)
    assert not hasattr(m, 'NEW') and not hasattr(m.K, 'y')
