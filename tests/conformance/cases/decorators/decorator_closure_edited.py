"""The decorator's own closure changes: a new wrapper body with a new helper is in force."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def retry(times):
    def deco(fn):
        @functools.wraps(fn)
        def wrapper(*a):
            return [fn(*a) for _ in range(times)]
        return wrapper
    return deco
@retry(2)
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
import functools
def note(v):
    return ("note", v)
def retry(times):
    def deco(fn):
        @functools.wraps(fn)
        def wrapper(*a):
            return [note(fn(*a)) for _ in range(times)] + [times]
        return wrapper
    return deco
@retry(2)
def f(x):
    return x
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f(1) == [("note", 1), ("note", 1), 2] == ns.mod.f(1)
