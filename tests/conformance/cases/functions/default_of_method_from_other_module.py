"""The default of a method reads a constant of another module, which changes."""
WEIGHT = 2
TAGS = ['functions']
PYTHON = '3.8'

FILES = {
    'config.py': '''\
FORMAT = "old"
''',
    'mod.py': '''\
from config import FORMAT


class Export:
    SIZE = 1

    def save(self, code=FORMAT, *, size=SIZE):
        return code, size
''',
}

STEPS = [
    [
        ('sub', 'config.py', '"old"', '"new"'),
    ],
]


def check(ns):
    assert ns.mod.Export().save() == ("new", 1)
