"""attrs @define: a method is added and super() is used in it; instances in a dict follow."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['attrs']

FILES = {
    'mod.py': '''\
from attrs import define
class Base:
    def hi(self):
        return "base"
@define
class P(Base):
    x: int
POOL = {"a": P(1)}
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from attrs import define
class Base:
    def hi(self):
        return "base"
@define
class P(Base):
    x: int
    def hi(self):
        return "P" + super().hi()
POOL = {"a": P(1)}
''',
        ),
    ],
]


def setup(ns):
    ns.pool = ns.mod.POOL


def check(ns):
    assert ns.pool["a"].hi() == "Pbase" and ns.mod.P(3).hi() == "Pbase" and type(ns.pool["a"]) is ns.mod.P
