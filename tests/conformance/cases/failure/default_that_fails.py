"""A new default that cannot be evaluated: the function keeps its code and its defaults; mended, it has the new ones."""
WEIGHT = 2
TAGS = ['failure', 'held']
PYTHON = '3.8'

_OLD = '''\
def f(a=1, *, k=[0]):
    return a, k
'''
_BAD = '''\
def f(a=1 / 0, b=2, *, k=[5]):
    return a, b, k
'''
_GOOD = '''\
def f(a=3, b=2, *, k=[5]):
    return a, b, k
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f
    ns.f.__kwdefaults__['k'].append('mine')


def check_1(ns):
    assert ns.f() == (1, [0, 'mine']) and ns.mod.f is ns.f


def check_2(ns):
    assert ns.f() == (3, 2, [5]) and ns.mod.f is ns.f
