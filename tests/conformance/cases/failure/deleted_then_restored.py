"""A file that is deleted and comes back, edited, is the same module with its state."""
WEIGHT = 2
TAGS = ['failure', 'state', 'held']
PYTHON = '3.8'

_OLD = '''\
import collections

counts = collections.Counter()


def f():
    counts["f"] += 1
    return 1
'''
_BAD = '''\

'''
_GOOD = '''\
import collections

counts = collections.Counter()


def f():
    counts["f"] += 1
    return 2
'''
FILES = {'mod.py': _OLD}
STEPS = [[('delete', 'mod.py')], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f
    ns.f()


def check_1(ns):
    assert ns.f() == 1


def check_2(ns):
    assert ns.f() == 2 and ns.import_("mod") is ns.mod and ns.mod.counts["f"] == 3, ns.mod.counts
