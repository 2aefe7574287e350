"""Tabs and spaces mixed up are an error of the file, which runs on as it was; mended, with tabs alone, it is new."""
WEIGHT = 2
TAGS = ['failure', 'held']
PYTHON = '3.8'

_OLD = '''\
def f():
    if True:
        return 1
'''
_BAD = '''\
def f():
    if True:
\treturn 2
'''
_GOOD = '''\
def f():
\tif True:
\t\treturn 2
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == 1


def check_2(ns):
    assert ns.f() == 2
