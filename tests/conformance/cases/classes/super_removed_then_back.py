"""super() goes from a method and comes back."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    def m(self):
        return "base"
class A(Base):
    def m(self):
        return "a+" + super().m()
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
class A(Base):
    def m(self):
        return "plain"
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    def m(self):
        return "base"
class A(Base):
    def m(self):
        return "again+" + super().m()
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check_1(ns):
    assert ns.a.m() == "plain"


def check(ns):
    assert ns.a.m() == "again+base" and ns.mod.A().m() == "again+base"
