"""A method whose registration key changed answers to the new key only."""
WEIGHT = 2
TAGS = ['classes', 'registry']
PYTHON = '3.8'

FILES = {
    'bus.py': '''\
R = {}
def on(k):
    def d(f):
        R[k] = f
        return f
    return d
''',
    'mod.py': '''\
from bus import on
class A:
    @on('x')
    def a(self): return 1
    @on('y')
    def b(self): return 2
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "'x'", "'z'"),
    ],
]


def check(ns):
    got = sorted((k, f(None)) for k, f in ns.bus.R.items())
    assert got == [('y', 2), ('z', 1)], got
