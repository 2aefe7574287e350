"""The same for values that follow an edited constant."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
N = 2
class H:
    X = list(range(N))
    def list(self): return 1
    Y = [N, max(N, 1)]
    def max(self): return 2
class E:
    X = sorted({N, 1})
    def sorted(self): return 3
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
N = 3
class H:
    X = list(range(N))
    def list(self): return 1
    Y = [N, max(N, 1)]
    def max(self): return 2
class E:
    X = sorted({N, 1})
    def sorted(self): return 3
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.H.X, m.H.Y, m.E.X) == ([0, 1, 2], [3, 3], [1, 3]), (m.H.X, m.H.Y, m.E.X)
