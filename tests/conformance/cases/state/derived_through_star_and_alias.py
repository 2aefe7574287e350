"""Derived values follow a star import and an alias of a module."""
WEIGHT = 1
TAGS = ['state', 'derived', 'imports']
PYTHON = "3.8"

FILES = {
    'conf.py': '''\
RATE = 10
''',
    'a.py': '''\
from conf import *
DOUBLE = RATE * 2
''',
    'b.py': '''\
import conf as c
TRIPLE = c.RATE * 3
''',
}

STEPS = [
    [
        ('sub', 'conf.py', '10', '20'),
    ],
]


def check(ns):
    assert ns.a.DOUBLE == 40
    assert ns.b.TRIPLE == 60
