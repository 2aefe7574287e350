"""A cache made by a call under another name is emptied when the function it wraps changes."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def slow(x):
    return ("old", x)
fast = functools.lru_cache(maxsize=None)(slow)
class Box:
    get = functools.lru_cache(maxsize=None)(slow)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
def slow(x):
    return ("new", x)
fast = functools.lru_cache(maxsize=None)(slow)
class Box:
    get = functools.lru_cache(maxsize=None)(slow)
''',
        ),
    ],
]


def setup(ns):
    ns.fast = ns.mod.fast
    ns.fast(1), ns.mod.Box.get(1)


def check(ns):
    assert ns.fast(1) == ("new", 1) and ns.mod.Box.get(1) == ("new", 1)
