"""An `__all__` that names what is not there breaks the importer, so neither file is new."""
WEIGHT = 2
TAGS = ['failure', 'imports', 'held']
PYTHON = '3.8'

_OLD = '''\
__all__ = ["f"]


def f():
    return 1
'''
_BAD = '''\
__all__ = ["f", "no_such_name"]


def f():
    return 2
'''
_GOOD = '''\
__all__ = ["f", "g"]


def f():
    return 2


def g():
    return 3
'''
FILES = {'mod.py': _OLD, 'use.py': 'import mod\n\nX = 1\n'}
STEPS = [[('write', 'mod.py', _BAD), ('write', 'use.py', 'import mod\nfrom mod import *\n\nX = 2\n')], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == 1 and not hasattr(ns.use, "f") and ns.use.X == 1


def check_2(ns):
    assert ns.f() == 2 and ns.use.g() == 3 and ns.use.X == 2
