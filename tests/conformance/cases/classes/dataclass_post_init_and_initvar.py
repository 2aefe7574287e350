"""__post_init__ and an InitVar added: new instances use them, old ones go on."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass, InitVar, field
from typing import ClassVar
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
from dataclasses import dataclass, InitVar, field
from typing import ClassVar
@dataclass
class P:
    x: int = 1
    scale: InitVar[int] = 10
    count: ClassVar[int] = 7
    total: int = field(init=False, default=0)
    def __post_init__(self, scale):
        self.total = self.x * scale
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(2)


def check(ns):
    assert ns.mod.P(2).total == 20 and ns.mod.P(2, 3).total == 6
    assert ns.p.total == 0 and ns.p.count == 7 and repr(ns.p) == "P(x=2, total=0)"
