"""A class that loses its registering decorator is registered no more."""
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
class a:
    v = "a"
@on(2)
class b:
    v = "b"
@on(3)
class c:
    v = "c"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@on(2)\n', ''),
    ],
]


def check(ns):
    got = [(f.v, f.__name__) for f in ns.reg.H]
    assert got == [('a', 'a'), ('c', 'c')], got
