"""A decorator on a method that raises: the class and all its methods stay."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'decorators']
PYTHON = '3.8'

_OLD = '''\
class Thing:
    def f(self):
        return 1

    def g(self):
        return 1
'''
_BAD = '''\
def refuse(function):
    raise ValueError(function.__name__)


class Thing:
    def f(self):
        return 2

    @refuse
    def g(self):
        return 2
'''
_GOOD = '''\
def accept(function):
    return function


class Thing:
    def f(self):
        return 2

    @accept
    def g(self):
        return 2
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.thing = ns.mod.Thing()
    ns.g = ns.thing.g


def check_1(ns):
    assert (ns.thing.f(), ns.g()) == (1, 1) and not hasattr(ns.mod, "refuse")


def check_2(ns):
    assert (ns.thing.f(), ns.thing.g()) == (2, 2)
