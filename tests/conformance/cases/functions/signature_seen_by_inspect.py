"""`inspect.signature`, `__kwdefaults__` and `__doc__` follow an edited header."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def f(a, b=1, *, c=2):
    'old'
    return a, b, c
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def f(a: int, /, b=1, *args, c=3, d: str = 'x', **kw) -> None:
    'new'
    return a, b, c, d
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    import inspect
    assert str(inspect.signature(ns.f)) == "(a: int, /, b=1, *args, c=3, d: str = 'x', **kw) -> None", str(inspect.signature(ns.f))
    assert ns.f.__doc__ == 'new'
    assert ns.f(1) == (1, 1, 3, 'x')
