"""A property that a subclass extends with @A.v.getter follows an edit of the one in the base."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    @property
    def v(self): return 1
    @v.setter
    def v(self, x): self.s = x
class B(A):
    @A.v.getter
    def v(self): return 2
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class A:
    @property
    def v(self): return 10
    @v.setter
    def v(self, x): self.s = x * 2
    @v.deleter
    def v(self): self.s = None
class B(A):
    @A.v.getter
    def v(self): return 20
'''),
    ],
]


def setup(ns):
    ns.b=ns.mod.B(); ns.a=ns.mod.A()


def check(ns):
    ns.b.v=3; assert ns.b.v==20 and ns.b.s==6 and ns.a.v==10; del ns.a.v; assert ns.a.s is None; del ns.b.v; assert ns.b.s is None
