"""A removed implementation of a generic function leaves its dispatch."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from functools import singledispatch
@singledispatch
def f(x): return 'base'
@f.register
def _(x: int): return 'int'
@f.register(str)
def f_str(x): return 'str'
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "@f.register(str)\ndef f_str(x): return 'str'\n", ''),
    ],
]


def check(ns):
    got = ns.mod.f('s'), ns.mod.f(1), len(ns.mod.f.registry)
    assert got == ('base', 'int', 2), got
