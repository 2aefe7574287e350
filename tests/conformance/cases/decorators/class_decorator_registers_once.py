"""A registering class decorator's argument changes: one entry, the live class."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
REG = {}
ORDER = []
def register(name):
    def deco(cls):
        REG[name] = cls
        ORDER.append(cls)
        return cls
    return deco
@register("a")
class A:
    def m(self):
        return 1
@register("b")
class B:
    pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
REG = {}
ORDER = []
def register(name):
    def deco(cls):
        REG[name] = cls
        ORDER.append(cls)
        return cls
    return deco
@register("aa")
class A:
    def m(self):
        return 2
@register("b")
class B:
    pass
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.reg = ns.mod.A(), ns.mod.REG


def check(ns):
    assert sorted(ns.reg) == ["aa", "b"] and ns.reg["aa"] is ns.mod.A and ns.a.m() == 2
    assert ns.mod.ORDER.count(ns.mod.A) == 1 and len(ns.mod.ORDER) == 2 and type(ns.a) is ns.mod.A
