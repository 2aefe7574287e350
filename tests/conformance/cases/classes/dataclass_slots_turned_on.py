"""slots=True: live instances in a list move to slots and keep their data."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass, field
@dataclass
class P:
    x: int
    tags: list = field(default_factory=list)
POOL = [P(1), P(2)]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass, field
@dataclass(slots=True)
class P:
    x: int
    tags: list = field(default_factory=list)
    z: int = 9
POOL = [P(1), P(2)]
''',
        ),
    ],
]


def setup(ns):
    ns.pool = ns.mod.POOL
    ns.pool[0].tags.append("a")


def check(ns):
    p = ns.pool[0]
    assert p.x == 1 and p.tags == ["a"] and p.z == 9 and not hasattr(p, "__dict__")
    assert repr(ns.pool[1]) == "P(x=2, tags=[], z=9)" and type(p) is ns.mod.P
    assert p == ns.mod.P(1, ["a"])
