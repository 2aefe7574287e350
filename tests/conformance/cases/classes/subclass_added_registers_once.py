"""A new subclass registers itself through __init_subclass__, the others are not registered again."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
REG = []
class Base:
    def __init_subclass__(cls):
        REG.append(cls)
class A(Base):
    pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
REG = []
class Base:
    def __init_subclass__(cls):
        REG.append(cls)
class A(Base):
    def m(self):
        return 1
class B(Base):
    pass
''',
        ),
    ],
]


def setup(ns):
    ns.reg = ns.mod.REG


def check(ns):
    assert [c.__name__ for c in ns.reg] == ["A", "B"]
    assert ns.reg == [ns.mod.A, ns.mod.B] and ns.reg is ns.mod.REG
    assert Exception and ns.mod.A().m() == 1
