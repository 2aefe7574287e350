"""The `__init__` that a dataclass generated and somebody holds takes the added field."""
WEIGHT = 2
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass


@dataclass
class Point:
    x: int
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '    x: int\n', '    x: int\n    y: int = 7\n'),
    ],
]


def setup(ns):
    ns.init = ns.mod.Point.__init__
    ns.eq = ns.mod.Point.__eq__


def check(ns):
    point = ns.mod.Point.__new__(ns.mod.Point)
    ns.init(point, 1, y=2)
    assert (point.x, point.y) == (1, 2)
    assert ns.eq(point, ns.mod.Point(1, 2)) is True
    assert ns.eq(point, ns.mod.Point(1, 3)) is False
