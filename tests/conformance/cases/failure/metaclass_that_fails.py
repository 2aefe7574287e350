"""A metaclass that raises for the edited class leaves class and instances as they were."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'held']
PYTHON = '3.8'

_OLD = '''\
class Meta(type):
    def __new__(meta, name, bases, namespace, **keywords):
        return super().__new__(meta, name, bases, namespace)


class Thing(metaclass=Meta):
    def f(self):
        return 1
'''
_BAD = '''\
class Meta(type):
    def __new__(meta, name, bases, namespace, **keywords):
        if "strict" in keywords:
            raise TypeError("strict")
        return super().__new__(meta, name, bases, namespace)


class Thing(metaclass=Meta, strict=True):
    def f(self):
        return 2

    def g(self):
        return 3
'''
_GOOD = '''\
class Meta(type):
    def __new__(meta, name, bases, namespace, **keywords):
        return super().__new__(meta, name, bases, namespace)


class Thing(metaclass=Meta):
    def f(self):
        return 2

    def g(self):
        return 3
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.kind, ns.thing = ns.mod.Thing, ns.mod.Thing()


def check_1(ns):
    assert ns.thing.f() == 1 and not hasattr(ns.thing, "g")
    assert ns.mod.Thing is ns.kind and type(ns.kind) is ns.mod.Meta


def check_2(ns):
    assert ns.thing.f() == 2 and ns.thing.g() == 3 and ns.mod.Thing is ns.kind
