"""A name that is missing inside a function that nobody calls is no error of the update."""
WEIGHT = 2
TAGS = ['failure', 'functions']
PYTHON = '3.8'

_OLD = '''\
def f():
    return 1


def g():
    return 1
'''
_BAD = '''\
def f():
    return 2


def g():
    return no_such_name


class Thing:
    def m(self):
        return no_such_name.at_all
'''
_GOOD = '''\
no_such_name = 5


def f():
    return 3


def g():
    return no_such_name


class Thing:
    def m(self):
        return no_such_name.real
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == 2 and hasattr(ns.mod, "Thing")
    try:
        ns.mod.g()
    except NameError:
        pass
    else:
        raise AssertionError("a name out of nowhere")


def check_2(ns):
    assert ns.f() == 3 and ns.mod.g() == 5 and ns.mod.Thing().m() == 5
