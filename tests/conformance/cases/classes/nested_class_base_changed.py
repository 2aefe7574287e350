"""A nested class whose base changes keeps its identity and its instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    def hello(self):
        return "hi"
class Outer:
    class Inner:
        def m(self):
            return 1
    KIND = Inner
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    def hello(self):
        return "hi"
class Outer:
    class Inner(Base):
        def m(self):
            return 2
    KIND = Inner
''',
        ),
    ],
]


def setup(ns):
    ns.i, ns.Inner = ns.mod.Outer.Inner(), ns.mod.Outer.Inner


def check(ns):
    assert ns.i.hello() == "hi" and ns.i.m() == 2
    assert ns.mod.Outer.Inner is ns.mod.Outer.KIND and type(ns.i) is ns.mod.Outer.Inner
    assert ns.Inner is ns.mod.Outer.Inner
    assert [c.__qualname__ for c in ns.mod.Base.__subclasses__()] == ["Outer.Inner"]
