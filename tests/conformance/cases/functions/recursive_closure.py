"""A recursive closure that lives gets its new body and calls itself."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def make():
    def fact(n):
        return 1 if n < 2 else n * fact(n - 1)
    return fact
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'n * fact(n - 1)', 'n + fact(n - 1)'),
    ],
]


def setup(ns):
    ns.f = ns.mod.make()


def check(ns):
    assert ns.f(4) == 10, ns.f(4)
