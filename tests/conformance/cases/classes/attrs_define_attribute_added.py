"""attrs @define: an attribute with a default is added; live instances keep working."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['attrs']

FILES = {
    'mod.py': '''\
from attrs import define, field, asdict, evolve
@define
class P:
    x: int
    y: int = 2
POOL = [P(1)]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from attrs import define, field, asdict, evolve
@define
class P:
    x: int
    y: int = 2
    z: list = field(factory=list)
    w: str = "w"
POOL = [P(1)]
''',
        ),
    ],
]


def setup(ns):
    ns.pool = ns.mod.POOL
    ns.pool[0].y = 5


def check(ns):
    p = ns.mod.POOL[0]
    assert type(p) is ns.mod.P and p.y == 5 and p.z == [] and p.w == "w"
    assert repr(p) == "P(x=1, y=5, z=[], w='w')" and ns.mod.asdict(p) == {"x": 1, "y": 5, "z": [], "w": "w"}
    assert ns.mod.evolve(p, x=9).x == 9 and p == ns.mod.P(1, 5) and ns.pool is ns.mod.POOL
