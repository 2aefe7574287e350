"""A body edited under a class-based decorator with state: the state stays."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class counted:
    def __init__(self, fn):
        self.fn, self.calls = fn, 0
    def __call__(self, *a):
        self.calls += 1
        return self.fn(*a)
@counted
def f(x):
    return ("old", x)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class counted:
    def __init__(self, fn):
        self.fn, self.calls = fn, 0
    def __call__(self, *a):
        self.calls += 1
        return self.fn(*a)
@counted
def f(x, y=3):
    return ("new", x, y)
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f
    ns.f(1), ns.f(1)


def check(ns):
    assert ns.f(1) == ("new", 1, 3) and ns.f.calls == 3 and ns.mod.f is ns.f
