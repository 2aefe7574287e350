"""A name imported and then assigned by the program stays; its module's edit does not touch it."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
LEVEL = 1
''',
    'mod.py': '''\
from lib import LEVEL
def get():
    return LEVEL
''',
}

STEPS = [
    [
        ('sub', 'lib.py', '1', '2'),
    ],
]


def setup(ns):
    ns.mod.LEVEL = 99


def check(ns):
    assert ns.mod.get() == 99
    assert ns.lib.LEVEL == 2
