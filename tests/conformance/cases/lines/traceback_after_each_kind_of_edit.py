"""Line numbers in tracebacks are right after edits above, inside and of decorators."""
WEIGHT = 1
TAGS = ['lines', 'held']
PYTHON = "3.8"


def lines(fn, *args):
    import traceback
    try:
        fn(*args)
    except Exception as error:
        return traceback.extract_tb(error.__traceback__)[-1].lineno

FILES = {
    'mod.py': '''\
def deco(f):
    return f
@deco
def fail(x):
    y = x
    raise ValueError(y)
class A:
    def m(self):
        return [1 / 0 for _ in (1,)]
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
# one
import os

def deco(f):
    return f
@deco
def fail(x):
    y = x
    raise ValueError(y)
class A:
    def m(self):
        return [1 / 0 for _ in (1,)]
'''),
    ],
    [
        ('write', 'mod.py', '''\
def deco(f):
    return f
@deco

# two
def fail(x):
    raise ValueError(x)
class A:
    z = 1
    def m(self):
        return [1 / 0 for _ in (1,)]
'''),
    ],
]


def setup(ns):
    ns.fail = ns.mod.fail
    ns.a = ns.mod.A()


def check_1(ns):
    assert lines(ns.fail, 1) == 9
    assert lines(ns.a.m) == 12


def check(ns):
    import inspect
    assert lines(ns.fail, 1) == 7, lines(ns.fail, 1)
    assert lines(ns.a.m) == 11, lines(ns.a.m)
    assert inspect.getsource(ns.fail).endswith('raise ValueError(x)\n')
    assert inspect.getsourcelines(ns.mod.A.m)[1] == 10
