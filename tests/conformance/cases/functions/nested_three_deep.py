"""A function three levels down gets its new body in live closures and in new ones."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def a(x):
    def b(y):
        def c(z):
            return x + y + z
        return c
    return b
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'x + y + z', '(x, y, z)'),
    ],
]


def setup(ns):
    ns.b = ns.mod.a(1)
    ns.c = ns.b(2)


def check(ns):
    assert ns.c(3) == (1, 2, 3)
    assert ns.b(5)(6) == (1, 5, 6)
    assert ns.mod.a(7)(8)(9) == (7, 8, 9)
