"""@dataclass removed: the class is plain, live instances keep their data."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
@dataclass
class P:
    x: int = 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class P:
    x: int = 1
    def double(self):
        return self.x * 2
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(4)


def check(ns):
    assert ns.p.double() == 8 and not hasattr(ns.mod.P, "__dataclass_fields__")
    assert repr(ns.p).startswith("<") and ns.p != ns.mod.P()
    assert ns.mod.P().x == 1 and "__init__" not in vars(ns.mod.P)
