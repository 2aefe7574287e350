"""A registry of records holds one for each handler after an argument changed."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
from dataclasses import dataclass
@dataclass
class E:
    prio: int
    fn: object
H = []
def on(prio=0):
    def d(f):
        H.append(E(prio, f))
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
    got = [(e.prio, e.fn()) for e in ns.reg.H]
    assert got == [(1, 'a'), (7, 'b'), (3, 'c')], got
