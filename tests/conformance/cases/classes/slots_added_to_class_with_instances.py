"""__slots__ added: live instances in a list, a dict and an attribute keep their values."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class P:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def total(self):
        return self.x + self.y
class Holder:
    pass
LIST = [P(1, 2)]
DICT = {"k": P(3, 4)}
HOLDER = Holder()
HOLDER.p = P(5, 6)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class P:
    __slots__ = ("x", "y")
    def __init__(self, x, y):
        self.x, self.y = x, y
    def total(self):
        return self.x * self.y
class Holder:
    pass
LIST = [P(1, 2)]
DICT = {"k": P(3, 4)}
HOLDER = Holder()
HOLDER.p = P(5, 6)
''',
        ),
    ],
]


def setup(ns):
    ns.list, ns.dict = ns.mod.LIST, ns.mod.DICT


def check(ns):
    got = [ns.list[0], ns.dict["k"], ns.mod.HOLDER.p]
    assert [p.total() for p in got] == [2, 12, 30]
    assert all(type(p) is ns.mod.P for p in got)
    assert not any(hasattr(p, "__dict__") for p in got)
