"""A `del C.a, C.b` goes from the source: the class has again what its body says."""
WEIGHT = 1
TAGS = ["classes", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": '''\
import copy


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y

    def norm(self):
        return abs(self.x) + abs(self.y)

    ORIGIN = (0, 0)


class Named(Point):
    __slots__ = ("name",)


del (
    Point.__slots__,
    Named.__slots__,
    Point.norm,
)
del Point.ORIGIN
''',
}

STEPS = [
    [
        (
            "sub",
            "mod.py",
            '''\
del (
    Point.__slots__,
    Named.__slots__,
    Point.norm,
)
''',
            "",
        )
    ],
    [("sub", "mod.py", "del Point.ORIGIN\n", "")],
]


def setup(ns):
    ns.point = ns.mod.Point(1, -2)


def check_1(ns):
    Point = ns.mod.Point
    assert Point.__slots__ == ("x", "y") and ns.mod.Named.__slots__ == ("name",)
    assert type(ns.point) is Point and ns.point.norm() == 3
    again = ns.mod.copy.copy(ns.point)
    assert (again.x, again.y) == (1, -2)
    assert not hasattr(Point, "ORIGIN")


def check(ns):
    assert ns.mod.Point.ORIGIN == (0, 0)
    assert ns.point.norm() == 3
