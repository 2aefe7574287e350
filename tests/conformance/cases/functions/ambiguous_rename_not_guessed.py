"""Two equal functions renamed at once: no identity is guessed, both new names work."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def a(x):
    return x * 2
def b(x):
    return x * 2
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def c(x):
    return x * 2
def d(x):
    return x * 2
'''),
    ],
]


def setup(ns):
    ns.a = ns.mod.a


def check(ns):
    assert ns.mod.c(2) == ns.mod.d(2) == 4
    assert ns.mod.c.__name__ == 'c' and ns.mod.d.__name__ == 'd'
    assert ns.mod.c is not ns.mod.d
    assert not hasattr(ns.mod, 'a') and ns.a(1) == 2
