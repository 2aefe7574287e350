"""A new statement that recurses without end is refused like any other error; the process goes on."""
WEIGHT = 2
TAGS = ['failure', 'held']
PYTHON = '3.8'

_OLD = '''\
def f(n):
    return n
'''
_BAD = '''\
def f(n):
    return f(n + 1) + 1


X = f(0)
'''
_GOOD = '''\
def f(n):
    return n + 1


X = f(0)
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f(1) == 1 and not hasattr(ns.mod, "X")


def check_2(ns):
    assert ns.f(1) == 2 and ns.mod.X == 1
