"""A class in another module derives from the class whose base, attribute and methods are edited."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'base.py': '''\
class Root:
    pass
class Base:
    limit = 1
    def run(self):
        return ("base", self.limit)
''',
    'child.py': '''\
from base import Base
class Child(Base):
    def run(self):
        return ("child",) + super().run()
''',
}

STEPS = [
    [
        (
            'write',
            'base.py',
            '''\
class Root:
    def root(self):
        return "root"
class Base(Root):
    limit = 2
    def run(self):
        return ("BASE", self.limit)
''',
        ),
    ],
]


def setup(ns):
    ns.c = ns.child.Child()


def check(ns):
    assert ns.c.run() == ("child", "BASE", 2) and ns.c.root() == "root"
    assert ns.child.Base is ns.base.Base and ns.base.Base.__subclasses__() == [ns.child.Child]
