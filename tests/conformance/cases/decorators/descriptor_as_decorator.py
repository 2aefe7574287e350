"""A descriptor class used as a decorator: the method's body, then the descriptor, change."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class lazy:
    def __init__(self, fn):
        self.fn = fn
    def __set_name__(self, owner, name):
        self.name = name
    def __get__(self, obj, kind=None):
        if obj is None:
            return self
        return (self.name, self.fn(obj))
class A:
    @lazy
    def v(self):
        return 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class lazy:
    def __init__(self, fn):
        self.fn = fn
    def __set_name__(self, owner, name):
        self.name = name
    def __get__(self, obj, kind=None):
        if obj is None:
            return self
        return (self.name, self.fn(obj))
class A:
    @lazy
    def v(self):
        return 2
    @lazy
    def w(self):
        return 3
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class lazy:
    def __init__(self, fn):
        self.fn = fn
    def __set_name__(self, owner, name):
        self.name = name
    def __get__(self, obj, kind=None):
        if obj is None:
            return self
        return (self.name.upper(), self.fn(obj))
class A:
    @lazy
    def v(self):
        return 2
    @lazy
    def w(self):
        return 4
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check_1(ns):
    assert ns.a.v == ("v", 2) and ns.a.w == ("w", 3)


def check(ns):
    assert ns.a.v == ("V", 2) and ns.a.w == ("W", 4)
