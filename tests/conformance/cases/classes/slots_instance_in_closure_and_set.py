"""Instances with a new slot are followed into closures, sets and dict keys."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class K:
    __slots__ = ("n",)
    def __init__(self, n):
        self.n = n
    def __hash__(self):
        return hash(self.n)
    def __eq__(self, other):
        return self.n == other.n
def reader(k):
    def read():
        return k
    return read
A, B = K(1), K(2)
READ = reader(A)
SET = {A, B}
MAP = {B: "b"}
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class K:
    __slots__ = ("n", "m")
    def __init__(self, n):
        self.n = n
        self.m = 0
    def __hash__(self):
        return hash(self.n)
    def __eq__(self, other):
        return self.n == other.n
def reader(k):
    def read():
        return k
    return read
A, B = K(1), K(2)
READ = reader(A)
SET = {A, B}
MAP = {B: "b"}
''',
        ),
    ],
]


def setup(ns):
    ns.read = ns.mod.READ


def check(ns):
    a, b = ns.mod.A, ns.mod.B
    assert ns.read().m == 0 and ns.read() is a
    assert all(k.m == 0 for k in ns.mod.SET) and a in ns.mod.SET and ns.mod.MAP[b] == "b"
    assert {type(k) for k in ns.mod.SET} == {ns.mod.K}
