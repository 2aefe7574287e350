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
    def p(self):
        return "old p"
a = A()
held = [f, g, A.m, A.n, A.p, a.m, a.n, a.p]
def get():
    return [one() for one in held[:2]], [one(a) for one in held[2:5]], [one() for one in held[5:]], held[:5] == [f, g, A.m, A.n, A.p]
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
    if NEW:
        import string
        def p(self):
            """Longer by a docstring."""
            if self:
                return "new " + self.string.ascii_lowercase[15]
    else:
        def p(self):
            return "other p"
a = A()
held = [f, g, A.m, A.n, A.p, a.m, a.n, a.p]
def get():
    return [one() for one in held[:2]], [one(a) for one in held[2:5]], [one() for one in held[5:]], held[:5] == [f, g, A.m, A.n, A.p]
'''),
    ],
]


def check(ns):
    got = ns.mod.get()
    assert got == (["new f", "new g"], ["new m", "new n", "new p"], ["new m", "new n", "new p"], True), got
