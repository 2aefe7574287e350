"""__class_getitem__ is edited and, in another class, added."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def __class_getitem__(cls, item):
        return ("old", cls.__name__, item)
class B:
    pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __class_getitem__(cls, item):
        return ("new", cls.__name__, item)
class B:
    def __class_getitem__(cls, item):
        return ("B", cls.__name__, item)
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.B = ns.mod.A, ns.mod.B


def check(ns):
    assert ns.A[1] == ("new", "A", 1) and ns.B[2] == ("B", "B", 2)
