"""A handler that moved to another topic leaves no empty list behind."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
H = {}
def on(prio=0):
    def d(f):
        H.setdefault(prio, []).append(f)
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
        ('sub', 'mod.py', '@on(2)', '@on(7)'),
    ],
]


def check(ns):
    got = {k: [f() for f in v] for k, v in ns.reg.H.items()}
    assert got == {1: ['a'], 7: ['b'], 3: ['c']}, got
