"""Several classes that derive from one another are edited in one save."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def who(self):
        return ["A1"]
class B(A):
    def who(self):
        return ["B1"] + super().who()
class C(B):
    def who(self):
        return ["C1"] + super().who()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Root:
    def who(self):
        return ["Root"]
class A(Root):
    def who(self):
        return ["A2"] + super().who()
class B(A):
    tag = 1
    def who(self):
        return ["B2"] + super().who()
class C(B):
    def who(self):
        return ["C2"] + super().who()
    def more(self):
        return self.tag
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.b, ns.c = ns.mod.A(), ns.mod.B(), ns.mod.C()


def check(ns):
    assert ns.c.who() == ["C2", "B2", "A2", "Root"] and ns.b.who() == ["B2", "A2", "Root"]
    assert ns.a.who() == ["A2", "Root"] and ns.c.more() == 1
    assert ns.mod.A.__subclasses__() == [ns.mod.B] and ns.mod.B.__subclasses__() == [ns.mod.C]
