"""maxsize changes: the function has the new cache, holders too."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
@functools.lru_cache(maxsize=2)
def f(x):
    return x
HOLD = [f]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
@functools.lru_cache(maxsize=50, typed=True)
def f(x):
    return x
HOLD = [f]
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f
    ns.f(1)


def check(ns):
    assert ns.mod.f.cache_info().maxsize == 50 and ns.f.cache_info().maxsize == 50
    assert ns.mod.HOLD[0] is ns.mod.f
