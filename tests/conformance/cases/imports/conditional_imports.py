"""A name imported in a `try` and in an `if` follows an edit of its module."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
LIMIT = 1
def f():
    return 1
''',
    'mod.py': '''\
try:
    from lib import LIMIT
except ImportError:
    LIMIT = 0
if True:
    from lib import f as g
else:
    g = None
def get():
    return LIMIT, g()
''',
}

STEPS = [
    [
        ('sub', 'lib.py', 'LIMIT = 1', 'LIMIT = 2'),
        ('sub', 'lib.py', 'return 1', 'return 2'),
    ],
]


def check(ns):
    assert ns.mod.get() == (2, 2), ns.mod.get()
