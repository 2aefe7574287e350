"""A field added to a base dataclass in another module reaches the subclass dataclass."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'base.py': '''\
from dataclasses import dataclass
@dataclass
class Base:
    a: int = 1
''',
    'sub.py': '''\
from dataclasses import dataclass
from base import Base
@dataclass
class Sub(Base):
    b: int = 2
OBJ = Sub()
''',
}

STEPS = [
    [
        (
            'write',
            'base.py',
            '''\
from dataclasses import dataclass
@dataclass
class Base:
    a: int = 1
    c: str = "c"
''',
        ),
    ],
]


def setup(ns):
    ns.o = ns.sub.OBJ


def check(ns):
    assert repr(ns.sub.OBJ) == "Sub(a=1, c='c', b=2)" and ns.sub.Sub(b=9).b == 9
    assert ns.sub.Sub.__match_args__ == ("a", "c", "b")
    assert isinstance(ns.o, ns.sub.Sub)
