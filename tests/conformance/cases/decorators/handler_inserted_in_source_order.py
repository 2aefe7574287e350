"""A handler added between two others is called between them, as after a start."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
H = []
def on(prio=0):
    def d(f):
        H.append(f)
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
        ('sub', 'mod.py', '@on(2)', '@on(8)\ndef x(): return "x"\n@on(2)'),
    ],
]


def check(ns):
    got = [f() for f in ns.reg.H]
    assert got == ['a', 'x', 'b', 'c'], got
