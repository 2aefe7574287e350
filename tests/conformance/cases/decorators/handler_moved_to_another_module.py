"""A handler that moves to another module is registered from there, also where names must be unique."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'bus.py': '''\
R = {}
def on(k):
    def d(f):
        if k in R: raise ValueError(k)
        R[k] = f
        return f
    return d
''',
    'm1.py': '''\
from bus import on
@on('x')
def a(): return 1
''',
    'm2.py': '''\
from bus import on
@on('y')
def b(): return 2
''',
}

STEPS = [
    [
        ('write', 'm1.py', 'from bus import on\n'),
        ('write', 'm2.py', "from bus import on\n@on('y')\ndef b(): return 2\n@on('x')\ndef a(): return 1\n"),
    ],
]


def check(ns):
    got = sorted((k, f(), f.__module__) for k, f in ns.bus.R.items())
    assert got == [('x', 1, 'm2'), ('y', 2, 'm2')], got
