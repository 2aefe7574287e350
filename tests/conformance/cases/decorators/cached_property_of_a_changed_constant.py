"""Cached properties and caches of methods are emptied when a constant that they read is edited."""
WEIGHT = 2
TAGS = ['decorators']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
RATE = 2
@functools.lru_cache(maxsize=None)
def f(x): return x * RATE
class A:
    @functools.cached_property
    def p(self): return RATE
    @functools.lru_cache
    def q(self): return RATE
a = A()
a.p; a.q(); f(1)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import functools
RATE = 3
@functools.lru_cache(maxsize=None)
def f(x): return x * RATE
class A:
    @functools.cached_property
    def p(self): return RATE
    @functools.lru_cache
    def q(self): return RATE
a = A()
a.p; a.q(); f(1)
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.f(1), m.a.p, m.a.q()) == (3, 3, 3), (m.f(1), m.a.p, m.a.q())
