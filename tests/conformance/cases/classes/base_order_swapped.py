"""Reordered bases change the method resolution order of live instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class L:
    def m(self):
        return "L"
class R:
    def m(self):
        return "R"
class A(L, R):
    pass
class B(A):
    pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class L:
    def m(self):
        return "L"
class R:
    def m(self):
        return "R"
class A(R, L):
    pass
class B(A):
    pass
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.b = ns.mod.A(), ns.mod.B()


def check(ns):
    assert ns.a.m() == "R" and ns.b.m() == "R"
    assert [c.__name__ for c in ns.mod.B.__mro__] == ["B", "A", "R", "L", "object"]
    assert [c.__name__ for c in ns.mod.L.__subclasses__()] == ["A"]
