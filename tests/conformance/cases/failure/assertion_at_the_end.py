"""An assertion at the end of a file that the new code does not pass: the old code runs on."""
WEIGHT = 2
TAGS = ['failure', 'held']
PYTHON = '3.8'

_OLD = '''\
def f(n):
    return n + 1


class Thing:
    rate = 1
'''
_BAD = '''\
def f(n):
    return n + 2


class Thing:
    rate = 2


assert f(1) == 2, "f"
assert Thing.rate == 2
'''
_GOOD = '''\
def f(n):
    return n + 2


class Thing:
    rate = 2


assert f(1) == 3, "f"
assert Thing.rate == 2
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f(1) == 2 and ns.mod.Thing.rate == 1


def check_2(ns):
    assert ns.f(1) == 3 and ns.mod.Thing.rate == 2
