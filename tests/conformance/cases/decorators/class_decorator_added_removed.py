"""A class decorator that adds methods is added and removed."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def describable(cls):
    cls.describe = lambda self: "I am " + type(self).__name__
    return cls
class A:
    x = 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def describable(cls):
    cls.describe = lambda self: "I am " + type(self).__name__
    return cls
@describable
class A:
    x = 1
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
def describable(cls):
    cls.describe = lambda self: "I am " + type(self).__name__
    return cls
class A:
    x = 2
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.A = ns.mod.A(), ns.mod.A


def check_1(ns):
    assert ns.a.describe() == "I am A" and ns.A is ns.mod.A


def check(ns):
    assert not hasattr(ns.a, "describe") and ns.a.x == 2 and ns.A is ns.mod.A
