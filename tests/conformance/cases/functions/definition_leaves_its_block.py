"""A function and a method that stood inside an `if` and stand outside of it now keep their identity; and the other way."""
WEIGHT = 2
TAGS = ['functions']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
NEW = True
if NEW:
    def f():
        return "old f"
else:
    def f():
        return "other f"
def g():
    return "old g"
class A:
    if NEW:
        def m(self):
            return "old m"
    else:
        def m(self):
            return "other m"
    def n(self):
        return "old n"
a = A()
held = [f, g, A.m, A.n, a.m, a.n]
def get():
    return [one() for one in held[:2]], [one(a) for one in held[2:4]], [one() for one in held[4:]], held[:4] == [f, g, A.m, A.n]
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
NEW = True
def f():
    return "new f"
if NEW:
    def g():
        return "new g"
class A:
    def m(self):
        return "new m"
    if NEW:
        def n(self):
            return "new n"
a = A()
held = [f, g, A.m, A.n, a.m, a.n]
def get():
    return [one() for one in held[:2]], [one(a) for one in held[2:4]], [one() for one in held[4:]], held[:4] == [f, g, A.m, A.n]
'''),
    ],
]


def check(ns):
    got = ns.mod.get()
    assert got == (["new f", "new g"], ["new m", "new n"], ["new m", "new n"], True), got
