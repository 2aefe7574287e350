"""A name that was a value becomes a function and a value again; importers follow."""
WEIGHT = 1
TAGS = ['functions', 'imports']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
limit = 10
''',
    'user.py': '''\
from mod import limit
def get():
    return limit
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def limit():
    return 20
'''),
    ],
    [
        ('write', 'mod.py', '''\
limit = 30
'''),
    ],
]


def check_1(ns):
    assert ns.user.get()() == 20


def check(ns):
    assert ns.mod.limit == 30 and ns.user.get() == 30
