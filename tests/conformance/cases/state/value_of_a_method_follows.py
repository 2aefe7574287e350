"""A value that a static method or a method of a kept instance gave follows when the method is edited."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def __init__(self, n): self.n = n
    @staticmethod
    def make(): return 1
    def double(self): return self.n * 2
a = A(3)
X = A.make()
Y = a.double()
def get(): return X, Y
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class A:
    def __init__(self, n): self.n = n
    @staticmethod
    def make(): return 10
    def double(self): return self.n * 20
a = A(3)
X = A.make()
Y = a.double()
def get(): return X, Y
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.get()) == (10, 60), (m.get())
