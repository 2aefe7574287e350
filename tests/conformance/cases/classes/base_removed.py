"""A class that loses its only base no longer inherits; its instances live on."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    def hello(self):
        return "hello"
class A(Base):
    def who(self):
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
    def hello(self):
        return "hello"
class A:
    def who(self):
        return "A"
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.a = ns.mod.A, ns.mod.A()
    ns.a.tag = 5


def check(ns):
    assert ns.a.who() == "A" and ns.a.tag == 5
    assert not isinstance(ns.a, ns.mod.Base) and not hasattr(ns.a, "hello")
    assert type(ns.a) is ns.mod.A and ns.mod.A.__mro__ == (ns.mod.A, object)
    assert ns.mod.Base.__subclasses__() == []
