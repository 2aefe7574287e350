"""A registry that holds handlers weakly has the new run of a definition, alive and once."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
from weakref import WeakSet
H = WeakSet()
def on(prio=0):
    def d(f):
        H.add(f)
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
        ('sub', 'mod.py', '@on(2)\ndef b(): return "b"', '@on(9)\ndef b(): return "B"'),
    ],
]


def check(ns):
    import gc
    gc.collect()
    got = sorted(f() for f in ns.reg.H)
    assert got == ['B', 'a', 'c'], got
