"""Attributes, `__doc__` and `__wrapped__` set by the program stay when the body changes."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def f(x: int = 1):
    'doc'
    return x
def g():
    return 1
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '    return x\n', '    return x + 1\n'),
        ('sub', 'mod.py', 'return 1\n', 'return 2\n'),
    ],
]


def setup(ns):
    f = ns.f = ns.mod.f
    f.calls = 3
    f.__doc__ = 'set by hand'
    f.__wrapped__ = ns.mod.g
    f.__annotations__ = {'x': 'patched'}


def check(ns):
    f = ns.f
    assert f() == 2
    assert f.calls == 3 and f.__doc__ == 'set by hand' and f.__wrapped__ is ns.mod.g
    assert f.__annotations__ == {'x': 'patched'}
    assert ns.mod.g.__defaults__ is None and ns.mod.g() == 2
