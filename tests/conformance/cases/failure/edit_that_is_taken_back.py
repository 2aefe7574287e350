"""A broken edit that is taken back leaves nothing behind: no statement runs again, and later edits apply."""
WEIGHT = 2
TAGS = ['failure', 'held']
PYTHON = '3.8'

_OLD = '''\
RUNS = []
RUNS.append(1)


def f():
    return 1
'''
_BAD = '''\
RUNS = []
RUNS.append(1)


def f():
    return 2


raise SystemExit(1)
'''
_GOOD = '''\
RUNS = []
RUNS.append(1)


def f():
    return 1
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)], [('write', 'mod.py', _GOOD.replace('return 1', 'return 3'))]]


def setup(ns):
    ns.f, ns.runs = ns.mod.f, ns.mod.RUNS


def check_1(ns):
    assert ns.f() == 1


def check_2(ns):
    assert ns.f() == 1 and ns.mod.RUNS is ns.runs and ns.runs == [1]


def check_3(ns):
    assert ns.f() == 3 and ns.mod.RUNS == [1]
