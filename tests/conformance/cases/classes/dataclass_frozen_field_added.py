"""A field with a default and one with a factory reach live frozen instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass, field, asdict, replace
@dataclass(frozen=True)
class P:
    x: int
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass, field, asdict, replace
@dataclass(frozen=True)
class P:
    x: int
    y: int = 2
    z: tuple = field(default_factory=tuple)
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(1)


def check(ns):
    assert asdict_of(ns) == {"x": 1, "y": 2, "z": ()}
    assert ns.mod.replace(ns.p, x=3) == ns.mod.P(3) and hash(ns.p) == hash(ns.mod.P(1))


def asdict_of(ns):
    return ns.mod.asdict(ns.p)
