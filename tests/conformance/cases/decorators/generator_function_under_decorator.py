"""A generator function under a decorator that makes a list of it."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def listed(fn):
    def wrapper(*a):
        return list(fn(*a))
    return wrapper
@listed
def f(n):
    for i in range(n):
        yield i
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def listed(fn):
    def wrapper(*a):
        return list(fn(*a))
    return wrapper
@listed
def f(n):
    for i in range(n):
        yield i * i
    yield "end"
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f(3) == [0, 1, 4, "end"] == ns.mod.f(3)
