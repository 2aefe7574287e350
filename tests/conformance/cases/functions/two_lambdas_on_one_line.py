"""Of two lambdas on one line each gets its own new body, wherever it is held."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
PAIR = (lambda x: x + 1, lambda x: x + 2)
TABLE = {'a': lambda: 1, 'b': lambda: 2}
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
PAIR = (lambda x: x + 10, lambda x: x + 20)
TABLE = {'a': lambda: 1, 'b': lambda: 20}
'''),
    ],
]


def setup(ns):
    ns.one, ns.two = ns.mod.PAIR
    ns.a, ns.b = ns.mod.TABLE['a'], ns.mod.TABLE['b']
    ns.mod.TABLE['x'] = 1


def check(ns):
    assert (ns.one(0), ns.two(0)) == (10, 20)
    assert ns.b() == 20 and ns.a() == 1
    assert ns.mod.TABLE['x'] == 1
