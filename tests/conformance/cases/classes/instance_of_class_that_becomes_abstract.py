"""A class with an instance of its own becomes abstract; the instance stays one of it."""

WEIGHT = 1
TAGS = ["classes"]
PYTHON = "3.8"

FILES = {
    "mod.py": '''\
class Base:
    def run(self):
        raise NotImplementedError
class Impl(Base):
    def run(self):
        return 1
''',
}

STEPS = [
    [
        (
            "write",
            "mod.py",
            '''\
import abc
class Base(abc.ABC):
    @abc.abstractmethod
    def run(self):
        """Runs."""
class Impl(Base):
    def run(self):
        return 2
''',
        ),
    ],
]


def setup(ns):
    ns.bare = object.__new__(ns.mod.Base)
    ns.held = ns.mod.Impl()


def check(ns):
    assert ns.mod.Base.__abstractmethods__ == frozenset({"run"})
    assert type(ns.bare) is ns.mod.Base
    assert isinstance(ns.held, ns.mod.Base) and ns.held.run() == 2
    try:
        ns.mod.Base()
    except TypeError:
        pass
    else:
        raise AssertionError("an abstract class made an instance")
