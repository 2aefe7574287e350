"""A class that gets its first __init__: live instances get what it sets."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def m(self):
        return 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __init__(self):
        self.n = 0
        self.seen = set()
    def m(self):
        self.n += 1
        return self.n
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check(ns):
    assert ns.a.m() == 1 and ns.a.m() == 2 and ns.a.seen == set()
