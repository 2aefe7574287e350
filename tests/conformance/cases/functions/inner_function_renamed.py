"""An inner function is renamed: the outer one makes the new one, the live closure goes on."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def outer(n):
    def inner():
        return n
    return inner
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def outer(n):
    def within():
        return n * 2
    return within
'''),
    ],
]


def setup(ns):
    ns.i = ns.mod.outer(4)


def check(ns):
    assert ns.mod.outer(4)() == 8
    assert ns.i() in (4, 8)
