"""A decorated function's edited signature and docstring reach the wrapper that `functools.wraps` made."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import functools
def deco(fn):
    @functools.wraps(fn)
    def wrapper(*a, **k):
        return fn(*a, **k)
    return wrapper
@deco
def f(x):
    'old'
    return x
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import functools
def deco(fn):
    @functools.wraps(fn)
    def wrapper(*a, **k):
        return fn(*a, **k)
    return wrapper
@deco
def f(x: int, y=2):
    'new'
    return x + y
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    import inspect
    assert ns.f(1) == 3
    assert ns.f.__doc__ == 'new'
    assert str(inspect.signature(ns.f)) == '(x: int, y=2)', inspect.signature(ns.f)
    assert ns.f is ns.mod.f
