"""Nested classes come, go and are renamed inside a live class."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Outer:
    class A:
        def m(self):
            return "A"
    class B:
        def m(self):
            return "B"
    def make(self):
        return self.A()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Outer:
    class A:
        def m(self):
            return "A2"
        def n(self):
            return "n"
    class C:
        z = 1
        def c(self):
            return "C"
    def make(self):
        return self.A()
''',
        ),
    ],
]


def setup(ns):
    ns.o, ns.a = ns.mod.Outer(), ns.mod.Outer.A()


def check(ns):
    assert ns.a.m() == "A2" and ns.a.n() == "n" and ns.o.make().m() == "A2"
    assert type(ns.o.make()) is type(ns.a)
    assert not hasattr(ns.mod.Outer, "B") and ns.mod.Outer.C().c() == "C"
    assert ns.mod.Outer.C.__qualname__ == "Outer.C"
