"""A class that loses its metaclass is a plain class; live instances stay its instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Meta(type):
    def __len__(cls):
        return 42
class A(metaclass=Meta):
    def m(self):
        return 1
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
class A:
    def m(self):
        return 2
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    ns.held = {"cls": ns.mod.A}


def check(ns):
    assert type(ns.mod.A) is type and isinstance(ns.a, ns.mod.A) and ns.a.m() == 2
    assert ns.held["cls"] is ns.mod.A
