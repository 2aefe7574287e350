"""A removed append takes its handler out of a list that the program has added to."""
WEIGHT = 2
TAGS = ['state', 'registry']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
H = []
def a(): return "a"
def b(): return "b"
def c(): return "c"
H.append(a)
H.append(b)
H.append(c)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'H.append(b)\n', ''),
    ],
]


def setup(ns):
    ns.mod.H.append(lambda: 'rt')


def check(ns):
    got = [f() for f in ns.mod.H]
    assert got == ['a', 'c', 'rt'], got
