"""The __call__ of a class-based decorator changes, and it gets a new attribute."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class timed:
    def __init__(self, fn):
        self.fn = fn
    def __call__(self, *a):
        return self.fn(*a)
@timed
def f(x):
    return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class timed:
    def __init__(self, fn):
        self.fn = fn
        self.log = []
    def __call__(self, *a):
        self.log.append(a)
        return ("timed", self.fn(*a))
@timed
def f(x):
    return x
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f(1) == ("timed", 1) and ns.f.log == [(1,)] and ns.mod.f(2) == ("timed", 2)
