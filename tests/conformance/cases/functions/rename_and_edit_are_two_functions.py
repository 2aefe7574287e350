"""A function renamed and rewritten is another one; a held reference to the old one still works."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def alpha(x):
    return x + 1
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def beta(x):
    y = x * 3
    return [y]
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.alpha


def check(ns):
    assert ns.mod.beta(2) == [6]
    assert not hasattr(ns.mod, 'alpha')
    assert ns.f(1) == 2
