"""A hand-written __match_args__ and a matching function in another module."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
class P:
    __match_args__ = ("x",)
    def __init__(self, x, y):
        self.x, self.y = x, y
''',
    'user.py': '''\
from mod import P
def first(p):
    match p:
        case P(a):
            return a
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class P:
    __match_args__ = ("y", "x")
    def __init__(self, x, y):
        self.x, self.y = x, y
''',
        ),
    ],
]


def setup(ns):
    ns.p, ns.first = ns.mod.P(1, 2), ns.user.first


def check(ns):
    assert ns.first(ns.p) == 2
