"""An edited __new__ of a metaclass is applied to the classes it makes."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Meta(type):
    def __new__(mcs, name, bases, ns):
        ns["tag"] = "old-" + name
        return super().__new__(mcs, name, bases, ns)
class A(metaclass=Meta):
    def m(self):
        return self.tag
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Meta(type):
    def __new__(mcs, name, bases, ns):
        ns["tag"] = "new-" + name
        return super().__new__(mcs, name, bases, ns)
class A(metaclass=Meta):
    def m(self):
        return self.tag
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check(ns):
    assert ns.a.m() == "new-A" and ns.mod.A.tag == "new-A"
    assert isinstance(ns.a, ns.mod.A)
