"""A constant whose new value breaks what is derived of it: the derived values stay, and follow once it is mended."""
WEIGHT = 2
TAGS = ['failure', 'state']
PYTHON = '3.8'

_OLD = '''\
RATE = 4
SHARE = 100 / RATE
PARTS = [100 / RATE]


def f():
    return RATE
'''
_BAD = '''\
RATE = 0
SHARE = 100 / RATE
PARTS = [100 / RATE]


def f():
    return RATE + 1
'''
_GOOD = '''\
RATE = 5
SHARE = 100 / RATE
PARTS = [100 / RATE]


def f():
    return RATE + 1
'''
FILES = {'mod.py': _OLD, 'use.py': 'from mod import RATE, SHARE\n\nDOUBLE = SHARE * 2\n'}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.mod.SHARE == 25 and ns.use.DOUBLE == 50 and ns.mod.PARTS == [25.0] and ns.f() == ns.mod.RATE + (ns.mod.RATE == 0)


def check_2(ns):
    assert ns.mod.RATE == 5 and ns.mod.SHARE == 20 and ns.mod.PARTS == [20.0] and ns.f() == 6 and ns.use.RATE == 5 and ns.use.DOUBLE == 40
