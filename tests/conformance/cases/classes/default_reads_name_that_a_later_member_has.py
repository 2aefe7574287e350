"""A default reads a builtin or a constant of the module although a member further down has the name."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
LIMIT = 3
class H:
    def go(self, n=len("abc"), m=LIMIT): return n, m
    X = max([1, 2])
    def len(self): return 9
    def max(self): return 9
    LIMIT = 50
h = H()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
LIMIT = 4
class H:
    def go(self, n=len("abcd"), m=LIMIT): return n, m, 1
    X = max([1, 2, 3])
    def len(self): return 9
    def max(self): return 9
    LIMIT = 50
h = H()
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.h.go(), m.H.X, m.H.LIMIT) == ((4, 4, 1), 3, 50), (m.h.go(), m.H.X, m.H.LIMIT)
