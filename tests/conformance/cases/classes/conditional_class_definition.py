"""A class defined in an if/else at module level is updated in place."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import sys
if sys.version_info > (3, 0):
    class A:
        def m(self):
            return "old"
else:
    class A:
        def m(self):
            return "never"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import sys
if sys.version_info > (3, 0):
    class A:
        def m(self):
            return "new"
        def added(self):
            return 1
else:
    class A:
        def m(self):
            return "never"
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.A = ns.mod.A(), ns.mod.A


def check(ns):
    assert ns.a.m() == "new" and ns.a.added() == 1
    assert ns.A is ns.mod.A and isinstance(ns.a, ns.mod.A)
