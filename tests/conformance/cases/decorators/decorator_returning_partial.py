"""A body edited under a decorator that returns functools.partial."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def with_ten(fn):
    return functools.partial(fn, 10)
@with_ten
def f(a, b):
    return a + b
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
def with_ten(fn):
    return functools.partial(fn, 10)
@with_ten
def f(a, b):
    return a * b
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f(3) == 30 == ns.mod.f(3)
