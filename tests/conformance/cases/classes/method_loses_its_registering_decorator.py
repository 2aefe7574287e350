"""A method that loses its registering decorator is registered no more."""
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
        ('sub', 'mod.py', "    @on('x')\n    def a", '    def a'),
    ],
]


def check(ns):
    got = [(k, f(None)) for k, f in ns.bus.R.items()]
    assert got == [('y', 2)], got
