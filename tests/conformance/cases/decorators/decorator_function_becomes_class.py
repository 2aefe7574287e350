"""A decorator function that becomes a class is applied again; holders of the function have the instance."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def deco(fn):
    def w(*a): return ('w', fn(*a))
    return w
@deco
def f(x): return x
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class deco:
    def __init__(self, fn): self.fn = fn; self.calls = 0
    def __call__(self, *a):
        self.calls += 1
        return ('c', self.fn(*a))
@deco
def f(x): return x
'''),
    ],
]


def setup(ns):
    ns.f=ns.mod.f; ns.d={'f':ns.mod.f}


def check(ns):
    assert ns.mod.f(1)==('c',1) and ns.d['f'](1)==('c',1) and ns.mod.f.calls==2
