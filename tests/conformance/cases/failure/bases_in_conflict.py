"""Bases that CPython refuses (no consistent order, layouts in conflict) leave the class as it was."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'held']
PYTHON = '3.8'

_OLD = '''\
class A:
    def f(self):
        return 1


class B(A):
    pass


class C(B):
    pass
'''
_BAD = '''\
class A:
    def f(self):
        return 2


class B(A):
    pass


class C(A, B):
    pass
'''
_GOOD = '''\
class A:
    def f(self):
        return 2


class B(A):
    pass


class C(B, A):
    pass
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.c = ns.mod.C()


def check_1(ns):
    assert ns.c.f() == 1 and ns.mod.C.__bases__ == (ns.mod.B,) and ns.mod.A.__subclasses__() == [ns.mod.B]


def check_2(ns):
    assert ns.c.f() == 2 and ns.mod.C.__bases__ == (ns.mod.B, ns.mod.A)
