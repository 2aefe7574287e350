"""A class in an except ImportError block is updated in place."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
try:
    from no_such_package import Thing
except ImportError:
    class Thing:
        x = 1
        def m(self):
            return "old"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
try:
    from no_such_package import Thing
except ImportError:
    class Thing:
        x = 2
        def m(self):
            return "new"
        def n(self):
            return 3
''',
        ),
    ],
]


def setup(ns):
    ns.t, ns.T = ns.mod.Thing(), ns.mod.Thing


def check(ns):
    assert ns.t.m() == "new" and ns.t.n() == 3 and ns.t.x == 2
    assert isinstance(ns.t, ns.mod.Thing)
