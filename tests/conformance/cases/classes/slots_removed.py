"""__slots__ removed: live instances take any attribute."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class P:
    __slots__ = ("x",)
    def __init__(self, x):
        self.x = x
LIST = [P(1), P(2)]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class P:
    def __init__(self, x):
        self.x = x
    def double(self):
        self.d = self.x * 2
        return self.d
LIST = [P(1), P(2)]
''',
        ),
    ],
]


def setup(ns):
    ns.list = ns.mod.LIST


def check(ns):
    assert [p.double() for p in ns.list] == [2, 4] and ns.list[0].d == 2
    assert all(type(p) is ns.mod.P for p in ns.list) and ns.list is ns.mod.LIST
