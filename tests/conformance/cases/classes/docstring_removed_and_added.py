"""A class docstring goes and another's comes."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    """doc"""
    x = 1
class B:
    x = 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    x = 1
class B:
    """doc"""
    x = 1
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.B = ns.mod.A, ns.mod.B


def check(ns):
    assert ns.A.__doc__ is None and ns.B.__doc__ == "doc"
