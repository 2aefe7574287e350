"""A class decorator that returns a subclass: an edited method and an added one reach live instances."""
WEIGHT = 1
TAGS = ['decorators']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def extend(cls):
    class Extended(cls):
        def extra(self):
            return "extra"
    Extended.__name__ = cls.__name__
    return Extended
@extend
class A:
    def m(self):
        return "old"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def extend(cls):
    class Extended(cls):
        def extra(self):
            return "extra"
    Extended.__name__ = cls.__name__
    return Extended
@extend
class A:
    def m(self):
        return "new"
    def n(self):
        return "n"
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.A = ns.mod.A(), ns.mod.A


def check(ns):
    assert ns.a.m() == "new" and ns.a.n() == "n" and ns.a.extra() == "extra"
    assert isinstance(ns.a, ns.mod.A) and ns.mod.A().n() == "n" and ns.A().m() == "new"
