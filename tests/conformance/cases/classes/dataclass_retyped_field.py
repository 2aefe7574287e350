"""A field's annotation changes: __annotations__ and fields() show it, instances keep their data."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass, fields
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
from dataclasses import dataclass, fields
@dataclass
class P:
    x: float = 1
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(4)


def check(ns):
    assert ns.mod.fields(ns.p)[0].type is float and ns.mod.P.__annotations__ == {"x": float}
    assert ns.p.x == 4 and type(ns.p) is ns.mod.P
