"""A new base class defined in the same save takes methods that were in the class."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def __init__(self):
        self.n = 1
    def common(self):
        return ("A", self.n)
    def own(self):
        return "own"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Common:
    def common(self):
        return ("Common", self.n)
class A(Common):
    def __init__(self):
        self.n = 1
    def own(self):
        return "own2"
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    ns.a.n = 7


def check(ns):
    assert ns.a.common() == ("Common", 7) and ns.a.own() == "own2"
    assert "common" not in vars(type(ns.a)) and isinstance(ns.a, ns.mod.Common)
