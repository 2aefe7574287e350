"""A registry of classes by name knows a renamed class by its new name."""
WEIGHT = 2
TAGS = ['classes', 'registry']
PYTHON = '3.8'

FILES = {
    'bus.py': '''\
R = {}
class P:
    def __init_subclass__(cls, **k):
        R[cls.__name__] = cls
''',
    'mod.py': '''\
from bus import P
class A(P):
    def f(self): return 1
class B(P):
    def f(self): return 2
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'class A', 'class AA'),
    ],
]


def check(ns):
    got = [(k, c.__name__, c().f()) for k, c in ns.bus.R.items()]
    assert got == [('AA', 'AA', 1), ('B', 'B', 2)], got
