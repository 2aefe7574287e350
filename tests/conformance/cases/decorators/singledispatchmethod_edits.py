"""singledispatchmethod: a body changed, an implementation added."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
class A:
    @functools.singledispatchmethod
    def show(self, x):
        return "any"
    @show.register(int)
    def _(self, x):
        return "int"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
class A:
    @functools.singledispatchmethod
    def show(self, x):
        return "ANY"
    @show.register(int)
    def _(self, x):
        return "INT"
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
import functools
class A:
    @functools.singledispatchmethod
    def show(self, x):
        return "ANY"
    @show.register(int)
    def _(self, x):
        return "INT"
    @show.register(str)
    def _(self, x):
        return "str"
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check_1(ns):
    assert (ns.a.show(1), ns.a.show("s")) == ("INT", "ANY")


def check(ns):
    assert (ns.a.show(1), ns.a.show("s"), ns.a.show(1.5)) == ("INT", "str", "ANY")
