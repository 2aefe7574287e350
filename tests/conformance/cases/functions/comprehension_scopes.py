"""Comprehensions in a function that read its variables and globals are edited."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
N = 2
def f(xs):
    k = 3
    return [x * k + N for x in xs if x]
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '[x * k + N for x in xs if x]', '{x: [y + k + N for y in range(x)] for x in xs}'),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f([2]) == {2: [5, 6]}, ns.f([2])
