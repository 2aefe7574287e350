"""A decorator is added: from-imports, lists, dict registries, partials and bound methods follow."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def loud(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return ("loud", fn(*a))
    return wrapper
def f(x):
    return x
class A:
    def m(self, x):
        return x
LIST = [f]
TABLE = {"f": f}
PART = functools.partial(f, 5)
''',
    'user.py': '''\
from mod import f
def use():
    return f(2)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
def loud(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return ("loud", fn(*a))
    return wrapper
@loud
def f(x):
    return x
class A:
    @loud
    def m(self, x):
        return x
LIST = [f]
TABLE = {"f": f}
PART = functools.partial(f, 5)
''',
        ),
    ],
]


def setup(ns):
    ns.use, ns.bound, ns.part = ns.user.use, ns.mod.A().m, ns.mod.PART


def check(ns):
    assert ns.use() == ("loud", 2) and ns.bound(3) == ("loud", 3) and ns.part() == ("loud", 5)
    assert ns.mod.LIST[0](1) == ("loud", 1) and ns.mod.TABLE["f"](1) == ("loud", 1)
