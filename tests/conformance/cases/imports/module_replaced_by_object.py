"""A module that put an object in its place in sys.modules: its functions and methods are still edited."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
import sys
def helper():
    return 1
class Facade:
    def value(self):
        return helper()
sys.modules[__name__] = Facade()
''',
    'mod.py': '''\
import lib
def get():
    return lib.value()
''',
}

STEPS = [
    [
        ('sub', 'lib.py', 'return 1', 'return 2'),
    ],
]


def check(ns):
    assert ns.mod.get() == 2
