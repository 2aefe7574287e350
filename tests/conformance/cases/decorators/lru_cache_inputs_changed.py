"""A cached function whose helper or constant changed answers anew; another cache stays."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
RATE = 2
def helper(x):
    return x * RATE
@functools.lru_cache(maxsize=None)
def price(x):
    return helper(x)
@functools.lru_cache(maxsize=None)
def other(x):
    return [x]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
RATE = 2
def helper(x):
    return x * RATE + 1
@functools.lru_cache(maxsize=None)
def price(x):
    return helper(x)
@functools.lru_cache(maxsize=None)
def other(x):
    return [x]
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
import functools
RATE = 10
def helper(x):
    return x * RATE + 1
@functools.lru_cache(maxsize=None)
def price(x):
    return helper(x)
@functools.lru_cache(maxsize=None)
def other(x):
    return [x]
''',
        ),
    ],
]


def setup(ns):
    ns.price, ns.kept = ns.mod.price, ns.mod.other(1)
    ns.price(3)


def check_1(ns):
    assert ns.price(3) == 7


def check(ns):
    assert ns.price(3) == 31 and ns.mod.price is ns.price
