"""A registry that knows functions by name knows a renamed one by its new name."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
H = {}
def on(prio=0):
    def d(f):
        H[f.__name__] = (prio, f)
        return f
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
        ('sub', 'mod.py', 'def b', 'def bb'),
    ],
]


def check(ns):
    got = [(k, p, f()) for k, (p, f) in ns.reg.H.items()]
    assert got == [('a', 1, 'a'), ('bb', 2, 'b'), ('c', 3, 'c')], got
