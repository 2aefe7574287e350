"""A class that gets a metaclass behaves as made by it; live instances stay its instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Meta(type):
    def __len__(cls):
        return 42
class A:
    def m(self):
        return 1
ALL = [A]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Meta(type):
    def __len__(cls):
        return 42
class A(metaclass=Meta):
    def m(self):
        return 2
ALL = [A]
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.a = ns.mod.A, ns.mod.A()
    ns.a.x = 1


def check(ns):
    assert len(ns.mod.A) == 42 and type(ns.mod.A) is ns.mod.Meta
    assert isinstance(ns.a, ns.mod.A) and ns.a.m() == 2 and ns.a.x == 1
    assert ns.mod.ALL[0] is ns.mod.A and ns.A is ns.mod.A
