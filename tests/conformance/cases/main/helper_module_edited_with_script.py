"""A script and a module that it imports by name are edited in one save."""
WEIGHT = 1
TAGS = ['main', 'held']
PYTHON = "3.8"
MAIN = "script.py"

FILES = {
    'script.py': '''\
from lib import rate
def total():
    return rate * 2
''',
    'lib.py': '''\
rate = 1
''',
}

STEPS = [
    [
        ('sub', 'script.py', 'rate * 2', 'rate * 3 + base'),
        ('sub', 'script.py', 'import rate', 'import rate, base'),
        ('write', 'lib.py', '''\
rate = 2
base = 100
'''),
    ],
]


def setup(ns):
    ns.total = ns.main.total


def check(ns):
    assert ns.total() == 106
