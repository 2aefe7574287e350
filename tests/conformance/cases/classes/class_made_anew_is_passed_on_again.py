"""A class gets another slot; the statement below it that passes it to a function and binds its name again, adds its members to the new class too."""
WEIGHT = 2
TAGS = ["classes", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": '''\
def with_equality(cls):
    cls.__eq__ = lambda self, other: self.__class__ is other.__class__ and self.a == other.a
    cls.__hash__ = lambda self: hash(self.a)
    return cls


class Pair:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a


Pair = with_equality(Pair)
''',
}

STEPS = [[("sub", "mod.py", '("a", "b")', '("a", "b", "c")')]]


def setup(ns):
    ns.kept = ns.mod.Pair(1)
    ns.table = {ns.kept: "kept"}


def check(ns):
    Pair = ns.mod.Pair
    assert Pair.__slots__ == ("a", "b", "c")
    assert Pair(1) == Pair(1) and Pair(1) != Pair(2)
    assert hash(Pair(3)) == hash(3)
    assert type(ns.kept) is Pair and ns.table[Pair(1)] == "kept"
