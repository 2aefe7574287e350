"""A dataclass field that `dataclass` refuses: instances, fields and equality stay; mended, the field is there."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'held', 'state']
PYTHON = '3.8'

_OLD = '''\
import dataclasses


@dataclasses.dataclass
class Point:
    x: int = 0


point = Point(3)
'''
_BAD = '''\
import dataclasses


@dataclasses.dataclass
class Point:
    x: int = 0
    tags: list = []


point = Point(3)
'''
_GOOD = '''\
import dataclasses


@dataclasses.dataclass
class Point:
    x: int = 0
    tags: list = dataclasses.field(default_factory=list)


point = Point(3)
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.point = ns.mod.point


def check_1(ns):
    assert repr(ns.point) == "Point(x=3)" and ns.point == ns.mod.Point(3)
    assert not hasattr(ns.mod.Point, "tags") and ns.mod.Point is type(ns.point)


def check_2(ns):
    assert repr(ns.mod.Point(1)) == "Point(x=1, tags=[])" and ns.mod.Point(1).tags is not ns.mod.Point(1).tags
    assert ns.point.x == 3 and ns.point.tags == []
