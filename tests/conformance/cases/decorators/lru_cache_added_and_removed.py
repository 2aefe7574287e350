"""@lru_cache is added to a function and then removed."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
CALLS = []
def f(x):
    CALLS.append(x)
    return x
''',
    'user.py': '''\
from mod import f
def use(x):
    return f(x)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
CALLS = []
@functools.lru_cache(maxsize=None)
def f(x):
    CALLS.append(x)
    return x
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
import functools
CALLS = []
def f(x):
    CALLS.append(x)
    return x
''',
        ),
    ],
]


def setup(ns):
    ns.use = ns.user.use


def check_1(ns):
    ns.use(1), ns.use(1)
    assert ns.mod.CALLS == [1] and ns.user.f is ns.mod.f


def check(ns):
    ns.use(2), ns.use(2)
    assert ns.mod.CALLS[-2:] == [2, 2] and not hasattr(ns.mod.f, "cache_info")
