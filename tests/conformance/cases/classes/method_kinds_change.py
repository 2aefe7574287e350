"""Plain method, staticmethod, classmethod and property turn into one another."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def a(self):
        return "method"
    @staticmethod
    def b():
        return "static"
    @classmethod
    def c(cls):
        return "class"
    @property
    def d(self):
        return "property"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    @staticmethod
    def a():
        return "static"
    @classmethod
    def b(cls):
        return ("class", cls.__name__)
    def c(self):
        return ("method", type(self).__name__)
    def d(self):
        return "method"
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.A = ns.mod.A(), ns.mod.A


def check(ns):
    assert ns.a.a() == "static" == ns.A.a() and ns.A.b() == ("class", "A") and ns.a.c() == ("method", "A")
    assert ns.a.d() == "method"
