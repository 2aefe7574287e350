"""A decorator with arguments, edited, sets attributes on the function and on the wrapper."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def retry(n):
    def deco(fn):
        @functools.wraps(fn)
        def w(*a):
            return [fn(*a) for _ in range(n)]
        return w
    return deco
@retry(2)
def f(x): return x
CB = {'f': f}
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import functools
def retry(n):
    def deco(fn):
        fn.tries = n
        @functools.wraps(fn)
        def w(*a):
            return tuple(fn(*a) for _ in range(n))
        w.tries = n
        return w
    return deco
@retry(2)
def f(x): return x
CB = {'f': f}
'''),
    ],
]


def setup(ns):
    ns.f=ns.mod.f; ns.cb=ns.mod.CB


def check(ns):
    assert ns.f(1)==(1,1) and ns.f.tries==2 and ns.cb['f'](1)==(1,1) and ns.cb['f'].__wrapped__.tries==2
