"""A factory function that becomes a class: importers and callers get the class."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def conn(n):
    return ("conn", n)
''',
    'user.py': '''\
from mod import conn
def use():
    return conn(3)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class conn:
    def __init__(self, n):
        self.n = n
''',
        ),
    ],
]


def setup(ns):
    ns.use = ns.user.use


def check(ns):
    assert isinstance(ns.mod.conn, type)
    assert ns.user.conn is ns.mod.conn and ns.use().n == 3
