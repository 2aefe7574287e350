"""An implementation registered for another type answers for that type only."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from functools import singledispatch
@singledispatch
def f(x): return 'base'
@f.register(str)
def f_str(x): return 'str'
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'register(str)', 'register(int)'),
    ],
]


def check(ns):
    got = ns.mod.f('s'), ns.mod.f(1), len(ns.mod.f.registry)
    assert got == ('base', 'str', 2), got
