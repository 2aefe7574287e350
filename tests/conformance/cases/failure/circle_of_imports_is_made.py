"""An edit that closes a circle of imports applies; one that a start would refuse does not."""
WEIGHT = 2
TAGS = ['failure', 'imports']
PYTHON = '3.8'

_OLD = '''\
def f():
    return 1
'''
_BAD = '''\
import other
from other import g


def f():
    return g() + 1
'''
_GOOD = '''\
import other


def f():
    return other.g() + 2
'''
FILES = {'mod.py': _OLD, 'other.py': 'def g():\n    return 1\n'}
STEPS = [[('write', 'other.py', 'import mod\n\n\ndef g():\n    return 1\n'), ('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == 2


def check_2(ns):
    assert ns.f() == 3
