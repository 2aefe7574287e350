"""ABC as a new base: abstract methods hold, live instances stay."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import abc
class Base:
    def run(self):
        return "base"
class Impl(Base):
    def run(self):
        return "impl"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import abc
class Base(abc.ABC):
    @abc.abstractmethod
    def run(self):
        return "base"
class Impl(Base):
    def run(self):
        return "impl2"
''',
        ),
    ],
]


def setup(ns):
    ns.i = ns.mod.Impl()
    ns.Base = ns.mod.Base


def check(ns):
    assert ns.i.run() == "impl2" and isinstance(ns.i, ns.mod.Base) and ns.mod.Impl().run() == "impl2"
    try:
        ns.mod.Base()
    except TypeError:
        pass
    else:
        raise AssertionError("abstract")
    assert [c.__name__ for c in ns.mod.Base.__subclasses__()] == ["Impl"] and ns.Base is ns.mod.Base
