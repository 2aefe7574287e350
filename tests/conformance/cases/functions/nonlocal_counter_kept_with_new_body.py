"""A closure with a nonlocal counter keeps counting under its new body."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def counter():
    n = 0
    def tick():
        nonlocal n
        n += 1
        return n
    return tick
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'n += 1', 'n += 10'),
    ],
]


def setup(ns):
    ns.t = ns.mod.counter()
    ns.t()
    ns.t()


def check(ns):
    assert ns.t() == 12, ns.t()
    assert ns.mod.counter()() == 10
