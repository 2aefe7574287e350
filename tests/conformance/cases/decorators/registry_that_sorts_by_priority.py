"""A registry of (priority, function) that sorts itself keeps its own order when a priority changes."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
H = []
def on(prio=0):
    def d(f):
        H.append((prio, f)); H.sort(key=lambda e: e[0])
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
    got = [(p, f()) for p, f in ns.reg.H]
    assert got == [(1, 'a'), (3, 'c'), (7, 'b')], got
