"""A slot added to a base reaches instances of the subclass."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    __slots__ = ("a",)
class Sub(Base):
    __slots__ = ("b",)
    def __init__(self):
        self.a, self.b = 1, 2
OBJ = [Sub()]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    __slots__ = ("a", "extra")
class Sub(Base):
    __slots__ = ("b",)
    def __init__(self):
        self.a, self.b = 1, 2
OBJ = [Sub()]
''',
        ),
    ],
]


def setup(ns):
    ns.obj = ns.mod.OBJ


def check(ns):
    o = ns.obj[0]
    o.extra = 5
    assert (o.a, o.b, o.extra) == (1, 2, 5)
    assert type(o) is ns.mod.Sub and isinstance(o, ns.mod.Base)
    assert [c.__name__ for c in ns.mod.Base.__subclasses__()] == ["Sub"]
