"""A module that becomes a package of the same name keeps its state and gains a submodule."""
WEIGHT = 1
TAGS = ['packages', 'held']
PYTHON = "3.8"

FILES = {
    'shop.py': '''\
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
        ('move', 'shop.py', 'shop/__init__.py'),
        ('write', 'shop/extra.py', '''\
def f():
    return 'extra'
'''),
    ],
]


def setup(ns):
    ns.add = ns.mod.add
    ns.add(1)


def check(ns):
    assert ns.add(2) == 2
    assert ns.import_('shop.extra').f() == 'extra'
