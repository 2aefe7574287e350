"""A new attribute of a base's __init__ reaches instances of subclasses that call super().__init__."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    def __init__(self):
        self.a = 1
class Sub(Base):
    def __init__(self):
        super().__init__()
        self.b = 2
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    def __init__(self):
        self.a = 1
        self.log = []
class Sub(Base):
    def __init__(self):
        super().__init__()
        self.b = 2
        self.c = len(self.log) + self.b
''',
        ),
    ],
]


def setup(ns):
    ns.s, ns.base = ns.mod.Sub(), ns.mod.Base()
    ns.s.a = 10


def check(ns):
    assert ns.s.log == [] and ns.s.c == 2 and ns.s.a == 10 and ns.base.log == []
