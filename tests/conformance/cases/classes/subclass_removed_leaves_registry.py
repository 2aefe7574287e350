"""A class that is removed from the source leaves the list that it was registered in."""
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
class B(Base):
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
    pass
''',
        ),
    ],
]


def setup(ns):
    ns.reg = ns.mod.REG


def check(ns):
    assert not hasattr(ns.mod, "B")
    assert [c.__name__ for c in ns.mod.REG] == ["A"]
