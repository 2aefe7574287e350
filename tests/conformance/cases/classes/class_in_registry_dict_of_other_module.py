"""A class held in registries of another module stays the one there."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'plugins.py': '''\
REG = {}
BY_CLASS = {}
def register(name):
    def deco(cls):
        REG[name] = cls
        BY_CLASS[cls] = name
        return cls
    return deco
''',
    'mod.py': '''\
from plugins import register
@register("a")
class A:
    def m(self):
        return 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from plugins import register
@register("a")
class A:
    kind = "new"
    def m(self):
        return 2
    def n(self):
        return 3
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.reg = ns.mod.A(), ns.plugins.REG


def check(ns):
    assert ns.reg == {"a": ns.mod.A} and ns.plugins.BY_CLASS == {ns.mod.A: "a"}
    assert ns.reg["a"]().n() == 3 and ns.a.n() == 3 and ns.a.kind == "new" and isinstance(ns.a, ns.reg["a"])
