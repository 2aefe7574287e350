"""Partials, alone and in a table, follow edits of their arguments and of their function."""
WEIGHT = 2
TAGS = ['functions']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from functools import partial
def power(b, e): return b ** e
square = partial(power, e=2)
TABLE = {"sq": square, "cu": partial(power, e=3)}
def use(x): return square(x), TABLE["cu"](x), TABLE["sq"](x)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from functools import partial
def power(b, e): return b ** e + 1
square = partial(power, e=3)
TABLE = {"sq": square, "cu": partial(power, e=4)}
def use(x): return square(x), TABLE["cu"](x), TABLE["sq"](x)
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.use(2)) == (9, 17, 9), (m.use(2))
