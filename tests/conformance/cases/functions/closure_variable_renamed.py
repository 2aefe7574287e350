"""A closure whose captured variable is renamed never reads another variable's cell."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def make(a, b):
    def inner():
        return a
    return inner
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def make(first, b):
    def inner():
        return b
    return inner
'''),
    ],
]


def setup(ns):
    ns.old = [ns.mod.make(1, 2), ns.mod.make(1, 2)]


def check(ns):
    assert ns.mod.make(1, 2)() == 2
    assert all(f() in (1, 2) for f in ns.old)
    assert [f() for f in ns.old] != [20, 10]
