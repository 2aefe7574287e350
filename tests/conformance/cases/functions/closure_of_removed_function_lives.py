"""A closure made by a function that is gone from the source still works."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def make(n):
    def get():
        return n
    return get
X = 1
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
X = 2
'''),
    ],
]


def setup(ns):
    ns.g = ns.mod.make(5)


def check(ns):
    assert ns.g() == 5 and ns.mod.X == 2 and not hasattr(ns.mod, 'make')
