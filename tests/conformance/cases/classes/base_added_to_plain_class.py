"""A class that had no base gets one; live instances inherit from it and super() works."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    def hello(self):
        return "hello from " + self.name
class A:
    def __init__(self):
        self.name = "a"
    def who(self):
        return self.name
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
        return "hello from " + self.name
class A(Base):
    def __init__(self):
        self.name = "a"
    def who(self):
        return self.hello()
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.a = ns.mod.A, ns.mod.A()
    ns.who = ns.a.who


def check(ns):
    assert isinstance(ns.a, ns.mod.Base) and issubclass(ns.A, ns.mod.Base)
    assert ns.a.who() == "hello from a" and ns.who() == "hello from a"
    assert ns.A is ns.mod.A and type(ns.a) is ns.mod.A
    assert ns.mod.A() .who() == "hello from a"
    assert [c.__name__ for c in ns.mod.Base.__subclasses__()] == ["A"]
