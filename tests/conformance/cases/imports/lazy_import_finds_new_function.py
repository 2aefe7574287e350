"""A function that imports lazily finds what was added to the module since."""
WEIGHT = 1
TAGS = ['imports', 'held']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
def old():
    return 1
''',
    'mod.py': '''\
def use():
    from lib import old
    return old()
''',
}

STEPS = [
    [
        ('write', 'lib.py', '''\
def old():
    return 2
def new():
    return 3
'''),
        ('write', 'mod.py', '''\
def use():
    from lib import new, old
    return new(), old()
'''),
    ],
]


def setup(ns):
    ns.use = ns.mod.use


def check(ns):
    assert ns.use() == (3, 2)
