"""A virtual subclass registered at run time stays registered when the ABC is edited."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from abc import ABC
class Base(ABC):
    x = 1
class Other:
    pass
Base.register(Other)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from abc import ABC
class Base(ABC):
    x = 2
    def m(self):
        return 1
class Other:
    pass
Base.register(Other)
''',
        ),
    ],
]


def setup(ns):
    class Third:
        pass
    ns.Third = Third
    ns.mod.Base.register(Third)
    ns.o = ns.mod.Other()


def check(ns):
    assert isinstance(ns.o, ns.mod.Base) and issubclass(ns.Third, ns.mod.Base) and ns.mod.Base.x == 2
