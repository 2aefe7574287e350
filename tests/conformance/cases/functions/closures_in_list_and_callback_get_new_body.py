"""Closures held in a list, as a sort key and as a default get the new body with their own variables."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def scaler(factor):
    def scale(x):
        return x * factor
    return scale
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'x * factor', '-x * factor'),
    ],
]


def setup(ns):
    import functools
    ns.fs = [ns.mod.scaler(2), ns.mod.scaler(3)]
    ns.bound = functools.partial(ns.mod.scaler(4), 1)


def check(ns):
    assert [f(1) for f in ns.fs] == [-2, -3]
    assert ns.bound() == -4
    assert sorted([1, 3, 2], key=ns.fs[0]) == [3, 2, 1]
