"""A value that reads a class attribute through an imported module follows when that attribute is edited."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'conf.py': '''\
class C:
    A = 1
    B = A + 1
D = {"x": C.A}
''',
    'mod.py': '''\
import conf as cf
X = cf.C.A
Y = cf.D["x"]
def f(a=cf.C.B): return a
Z = [cf.C.A, cf.C.B]
L = lambda: cf.C.A
''',
}

STEPS = [
    [
        ('write', 'conf.py', '''\
class C:
    A = 5
    B = A + 1
D = {"x": C.A}
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.X, m.Y, m.f(), m.Z, m.L()) == (5, 5, 6, [5, 6], 5), (m.X, m.Y, m.f(), m.Z, m.L())
