"""_missing_ added: lookups by unknown values go through it."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class S(Enum):
    A = "a"
    UNKNOWN = "?"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum
class S(Enum):
    A = "a"
    UNKNOWN = "?"
    @classmethod
    def _missing_(cls, value):
        return cls.UNKNOWN
    @property
    def tag(self):
        return "<" + self.value + ">"
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.S.A


def check(ns):
    assert ns.mod.S("zzz") is ns.mod.S.UNKNOWN and ns.a.tag == "<a>" and ns.mod.S("a") is ns.a
