"""A descriptor whose `__set_name__` raises leaves the class as it was."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'held']
PYTHON = '3.8'

_OLD = '''\
class Field:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner):
        return self.name


class Model:
    first = Field()

    def f(self):
        return 1
'''
_BAD = '''\
class Field:
    def __set_name__(self, owner, name):
        if name == "second":
            raise ValueError(name)
        self.name = name

    def __get__(self, instance, owner):
        return self.name


class Model:
    first = Field()
    second = Field()

    def f(self):
        return 2
'''
_GOOD = '''\
class Field:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner):
        return self.name


class Model:
    first = Field()
    second = Field()

    def f(self):
        return 2
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.kind, ns.model = ns.mod.Model, ns.mod.Model()


def check_1(ns):
    assert ns.model.f() == 1 and ns.model.first == "first"
    assert not hasattr(ns.mod.Model, "second") and ns.mod.Model is ns.kind


def check_2(ns):
    assert ns.model.f() == 2 and ns.model.second == "second" and ns.mod.Model is ns.kind
