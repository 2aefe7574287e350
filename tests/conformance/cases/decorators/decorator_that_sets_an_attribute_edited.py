"""A decorator that sets attributes on the function is edited: the function has the new ones."""
WEIGHT = 1
TAGS = ['decorators']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def tagged(fn):
    fn.tag = "old"
    return fn
@tagged
def f():
    return f.tag
class A:
    @tagged
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
def tagged(fn):
    fn.tag = "new"
    fn.extra = 1
    return fn
@tagged
def f():
    return f.tag
class A:
    @tagged
    def m(self):
        return 1
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.a = ns.mod.f, ns.mod.A()


def check(ns):
    assert ns.f() == "new" and ns.mod.f.extra == 1 and ns.a.m.tag == "new"
