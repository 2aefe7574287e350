"""A changed class keyword reaches __init_subclass__ again, once."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
CALLS = []
class Base:
    def __init_subclass__(cls, kind="none", **kw):
        super().__init_subclass__(**kw)
        cls.kind = kind
        CALLS.append((cls.__name__, kind))
class A(Base, kind="one"):
    def m(self):
        return self.kind
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
CALLS = []
class Base:
    def __init_subclass__(cls, kind="none", **kw):
        super().__init_subclass__(**kw)
        cls.kind = kind
        CALLS.append((cls.__name__, kind))
class A(Base, kind="two"):
    def m(self):
        return self.kind
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check(ns):
    assert ns.a.m() == "two" and ns.mod.A.kind == "two"
    assert ns.mod.CALLS[-1] == ("A", "two")
