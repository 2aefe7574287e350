"""__class__ and super() in methods that had none and in new methods name the live class."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    def m(self):
        return "base"
    @classmethod
    def c(cls):
        return "cbase"
class A(Base):
    def m(self):
        return "a"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    def m(self):
        return "base"
    @classmethod
    def c(cls):
        return "cbase"
class A(Base):
    def m(self):
        return (__class__.__name__, super().m())
    @classmethod
    def c(cls):
        return (__class__, super().c())
    def n(self):
        return [__class__ for _ in range(1)][0], super(A, self).m()
    @property
    def p(self):
        return super().m()
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.m = ns.mod.A(), ns.mod.A().m


def check(ns):
    assert ns.a.m() == ("A", "base") == ns.m() and ns.a.c() == (ns.mod.A, "cbase")
    assert ns.a.n() == (ns.mod.A, "base") and ns.a.p == "base"
