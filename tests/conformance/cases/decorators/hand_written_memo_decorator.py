"""A memo decorator with a dict in its closure: a changed body answers anew."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def memo(fn):
    cache = {}
    @functools.wraps(fn)
    def wrapper(x):
        if x not in cache:
            cache[x] = fn(x)
        return cache[x]
    return wrapper
@memo
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
import functools
def memo(fn):
    cache = {}
    @functools.wraps(fn)
    def wrapper(x):
        if x not in cache:
            cache[x] = fn(x)
        return cache[x]
    return wrapper
@memo
def f(x):
    return ("new", x)
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f(1) == ("new", 1) == ns.mod.f(1)
