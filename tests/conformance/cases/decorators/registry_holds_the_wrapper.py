"""A registry that holds what a decorator's wrapper is has one entry after its argument changed."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
import functools
H = []
def on(prio=0):
    def d(f):
        @functools.wraps(f)
        def w(*a): return (prio, f(*a))
        H.append(w)
        return w
    return d
''',
    'mod.py': '''\
from reg import on
@on(1)
def a(): return "a"
@on(2)
def b(): return "b"
@on(3)
def c(): return "c"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@on(2)', '@on(7)'),
    ],
]


def check(ns):
    got = [f() for f in ns.reg.H] + [ns.mod.a(), ns.mod.c()]
    assert got == [(1, 'a'), (7, 'b'), (3, 'c'), (1, 'a'), (3, 'c')], got
