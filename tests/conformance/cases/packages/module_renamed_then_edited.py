"""A module whose file was renamed is edited afterwards: the functions that live follow, tracebacks name the new file."""
WEIGHT = 2
TAGS = ['packages', 'held']
PYTHON = "3.8"

FILES = {
    'orders.py': '''\
ORDERS = []
def add(x):
    ORDERS.append(x)
    return len(ORDERS)
def fail():
    raise ValueError
''',
    'mod.py': '''\
import orders as shop
def add(x):
    return shop.add(x)
''',
}

STEPS = [
    [
        ('move', 'orders.py', 'sales.py'),
        ('sub', 'mod.py', 'import orders as shop', 'import sales as shop'),
    ],
    [
        ('sub', 'sales.py', 'return len(ORDERS)', 'return -len(ORDERS)'),
    ],
]


def setup(ns):
    ns.add = ns.mod.add
    ns.old, ns.fail = ns.mod.shop.add, ns.mod.shop.fail
    ns.add(1)


def check(ns):
    assert ns.add(2) == -2 and ns.old(3) == -3
    assert ns.mod.shop.ORDERS == [1, 2, 3]
    try:
        ns.fail()
    except ValueError as error:
        assert error.__traceback__.tb_next.tb_frame.f_code.co_filename.endswith('sales.py')
