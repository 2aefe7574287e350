"""A registry that refuses a name twice accepts the new run of the same definition."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
R = {}
def reg(prio):
    def d(f):
        if f.__name__ in R: raise ValueError("dup")
        R[f.__name__] = (prio, f)
        return f
    return d
''',
    'mod.py': '''\
from reg import reg
@reg(1)
def a(): return 1
@reg(2)
def b(): return 2
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@reg(1)', '@reg(5)'),
    ],
]


def check(ns):
    got = [(k, p, f()) for k, (p, f) in ns.reg.R.items()]
    assert got == [('a', 5, 1), ('b', 2, 2)], got
