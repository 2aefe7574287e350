"""A subclass hook that refuses an edited class: the class, its base and what was registered stay."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'held']
PYTHON = '3.8'

_OLD = '''\
KNOWN = []


class Base:
    def __init_subclass__(cls, key=None):
        KNOWN.append((cls.__name__, key))


class Part(Base, key="a"):
    def f(self):
        return 1
'''
_BAD = '''\
KNOWN = []


class Base:
    def __init_subclass__(cls, key=None):
        if key == "b":
            raise ValueError(key)
        KNOWN.append((cls.__name__, key))


class Part(Base, key="b"):
    def f(self):
        return 2
'''
_GOOD = '''\
KNOWN = []


class Base:
    def __init_subclass__(cls, key=None):
        KNOWN.append((cls.__name__, key))


class Part(Base, key="b"):
    def f(self):
        return 2
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.part, ns.known = ns.mod.Part(), ns.mod.KNOWN


def check_1(ns):
    assert ns.part.f() == 1 and ns.mod.KNOWN == [("Part", "a")] and ns.mod.KNOWN is ns.known
    assert ns.mod.Base.__subclasses__() == [ns.mod.Part]


def check_2(ns):
    assert ns.part.f() == 2 and ("Part", "b") in ns.mod.KNOWN
    assert isinstance(ns.part, ns.mod.Part)
