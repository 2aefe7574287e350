"""The first value edited, a conditional override below still wins."""
WEIGHT = 1
TAGS = ['state', 'chains']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import sys
LIMIT = 10
if sys.version_info >= (3,):
    LIMIT = 20
OTHER = 1
if sys.version_info < (3,):
    OTHER = 2
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import sys
LIMIT = 11
if sys.version_info >= (3,):
    LIMIT = 20
OTHER = 5
if sys.version_info < (3,):
    OTHER = 2
'''),
    ],
]


def check(ns):
    assert ns.mod.LIMIT == 20, ns.mod.LIMIT
    assert ns.mod.OTHER == 5, ns.mod.OTHER
