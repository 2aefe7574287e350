"""A loop that registers the items of a table withdraws the one that left it."""
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
for k, f in [('x', a), ('y', b)]:
    R[k] = f
''',
}

STEPS = [
    [
        ('sub', 'mod.py', ", ('y', b)", ''),
    ],
]


def check(ns):
    got = [(k, f()) for k, f in ns.bus.R.items()]
    assert got == [('x', 'a')], got
