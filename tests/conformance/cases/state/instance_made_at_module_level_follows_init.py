"""Untouched instances that module statements made get what an edited __init__ gives, in place; touched ones stay."""
WEIGHT = 2
TAGS = ['state', 'derived']
PYTHON = '3.8'

FILES = {
    'conf.py': '''\
class Base:
    def __init__(self, name):
        self.name = name
        self.limit = 1

class Conf(Base):
    def __init__(self, name="main"):
        super().__init__(name)
        if not name:
            raise ValueError(name)
        self.tags = [name]

DEFAULT = Conf()
TOUCHED = Conf("touched")
CHAIN = [Conf("a"), Conf("b")]
BY_NAME = {"c": Conf("c")}

class Fixed:
    __slots__ = ("size",)
    def __init__(self):
        self.size = LIMIT

LIMIT = 3
FIXED = Fixed()

class Service:
    chain = CHAIN[:]
''',
}

STEPS = [
    [
        ('write', 'conf.py', '''\
class Base:
    def __init__(self, name):
        self.name = name.upper()
        self.limit = 2

class Conf(Base):
    def __init__(self, name="main"):
        super().__init__(name)
        if not name:
            raise ValueError(name)
        self.tags = [name]

DEFAULT = Conf()
TOUCHED = Conf("touched")
CHAIN = [Conf("a"), Conf("b")]
BY_NAME = {"c": Conf("c")}

class Fixed:
    __slots__ = ("size",)
    def __init__(self):
        self.size = LIMIT * 2

LIMIT = 3
FIXED = Fixed()

class Service:
    chain = CHAIN[:]
'''),
    ],
]


def setup(ns):
    ns.default, ns.touched = ns.conf.DEFAULT, ns.conf.TOUCHED
    ns.first, ns.named = ns.conf.CHAIN[0], ns.conf.BY_NAME["c"]
    ns.touched.limit = 7
    ns.fixed = ns.conf.FIXED


def check(ns):
    conf = ns.conf
    assert conf.DEFAULT is ns.default and (ns.default.name, ns.default.limit) == ("MAIN", 2)
    assert conf.TOUCHED is ns.touched and (ns.touched.name, ns.touched.limit) == ("touched", 7)
    assert conf.CHAIN[0] is ns.first and [(each.name, each.limit) for each in conf.CHAIN] == [("A", 2), ("B", 2)]
    assert conf.BY_NAME["c"] is ns.named and (ns.named.name, ns.named.limit) == ("C", 2)
    assert [(each.name, each.limit) for each in conf.Service.chain] == [("A", 2), ("B", 2)]
    assert conf.FIXED is ns.fixed and ns.fixed.size == 6
