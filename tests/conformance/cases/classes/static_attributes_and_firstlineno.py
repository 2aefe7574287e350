"""__static_attributes__ and __firstlineno__ are those of the new source."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.13'

FILES = {
    'mod.py': '''\
class A:
    def __init__(self):
        self.a = 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
X = 1

class A:
    def __init__(self):
        self.a = 1
        self.b = 2
    def m(self):
        self.c = 3
''',
        ),
    ],
]


def setup(ns):
    ns.A = ns.mod.A


def check(ns):
    assert set(ns.A.__static_attributes__) == {"a", "b", "c"}
    assert ns.A.__firstlineno__ == 3
