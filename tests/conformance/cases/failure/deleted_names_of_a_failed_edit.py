"""What a failed edit deletes by `del` or by leaving it out is there as before, in its place."""
WEIGHT = 2
TAGS = ['failure', 'state', 'held']
PYTHON = '3.8'

_OLD = '''\
A = [1]
B = [2]


def f():
    return 1


def g():
    return 2


C = [3]
'''
_BAD = '''\
A = [1]
C = [3]
del A


def g():
    return 3


raise KeyError("no")
'''
_GOOD = '''\
A = [1]
C = [3]
del A


def g():
    return 3
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.a, ns.b, ns.f = ns.mod.A, ns.mod.B, ns.mod.f


def check_1(ns):
    assert ns.mod.A is ns.a and ns.mod.B is ns.b and ns.mod.f is ns.f and ns.mod.g() == 2
    assert [name for name in vars(ns.mod) if not name.startswith("_")] == ["A", "B", "f", "g", "C"]


def check_2(ns):
    assert [name for name in vars(ns.mod) if not name.startswith("_")] == ["g", "C"] or set(
        name for name in vars(ns.mod) if not name.startswith("_")) == {"g", "C"}
    assert ns.mod.g() == 3
