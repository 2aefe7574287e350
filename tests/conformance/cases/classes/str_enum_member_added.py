"""A str-mixin enum gets a member and a method."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class Kind(str, Enum):
    A = "a"
    B = "b"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum
class Kind(str, Enum):
    A = "a"
    B = "b"
    C = "c"
    def shout(self):
        return self.value.upper()
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.d = ns.mod.Kind.A, {ns.mod.Kind.A: 1}


def check(ns):
    K = ns.mod.Kind
    assert ns.a is K.A and ns.a == "a" and ns.a.shout() == "A" and K("c") is K.C
    assert ns.d[K.A] == 1 and ns.d["a"] == 1
