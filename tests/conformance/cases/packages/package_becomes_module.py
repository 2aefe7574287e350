"""A package that becomes a plain module of the same name keeps its state."""
WEIGHT = 1
TAGS = ['packages', 'held']
PYTHON = "3.8"

FILES = {
    'shop/__init__.py': '''\
ORDERS = []
def add(x):
    ORDERS.append(x)
    return len(ORDERS)
''',
    'mod.py': '''\
import shop
def add(x):
    return shop.add(x)
''',
}

STEPS = [
    [
        ('move', 'shop/__init__.py', 'shop.py'),
    ],
    [
        ('sub', 'shop.py', 'return len(ORDERS)', 'return -len(ORDERS)'),
    ],
]


def setup(ns):
    ns.add = ns.mod.add
    ns.add(1)


def check(ns):
    assert ns.add(2) == -2
    assert ns.import_('shop').ORDERS == [1, 2]
