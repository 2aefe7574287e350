"""An entry of another module's table goes with the assignment that made it."""
WEIGHT = 2
TAGS = ['state', 'registry']
PYTHON = '3.8'

FILES = {
    'bus.py': '''\
R = {}
''',
    'mod.py': '''\
from bus import R
def a(): return "a"
def b(): return "b"
def c(): return "c"
R['x'] = a
R['y'] = b
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "R['x'] = a\n", ''),
    ],
]


def check(ns):
    got = [(k, f()) for k, f in ns.bus.R.items()]
    assert got == [('y', 'b')], got
