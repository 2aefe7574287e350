"""Statements that changed lists, dicts and counters before a later one failed: nothing of it is left, and it happens once when mended."""
WEIGHT = 2
TAGS = ['failure', 'state', 'held']
PYTHON = '3.8'

_OLD = '''\
LOG = []
TABLE = {}
TOTAL = 0


def f():
    return 1
'''
_BAD = '''\
LOG = []
TABLE = {}
TOTAL = 0


def f():
    return 2


LOG.append(f())
TABLE["f"] = f
TOTAL += 1
LOG += [3]
for n in range(3):
    LOG.append(n)
    if n == 1:
        raise ValueError(n)
'''
_GOOD = '''\
LOG = []
TABLE = {}
TOTAL = 0


def f():
    return 2


LOG.append(f())
TABLE["f"] = f
TOTAL += 1
LOG += [3]
for n in range(3):
    LOG.append(n)
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f, ns.log = ns.mod.f, ns.mod.LOG
    ns.log.append('mine')


def check_1(ns):
    assert ns.f() == 1 and ns.log == ["mine"] and ns.mod.TABLE == {} and ns.mod.TOTAL == 0
    assert not hasattr(ns.mod, "n")


def check_2(ns):
    assert ns.f() == 2 and ns.mod.LOG is ns.log and ns.log == ["mine", 2, 3, 0, 1, 2], ns.log
    assert ns.mod.TABLE == {"f": ns.f} and ns.mod.TOTAL == 1
