"""A class body whose loop changed: the variable that it deletes at its end does not become a member."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    names = ['a', 'b']
    table = {n: i for i, n in enumerate(names)} if False else {}
    for _n in names:
        table[_n] = _n.upper()
    del _n
    def get(self, k): return self.table[k]
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class A:
    names = ['a', 'b', 'c']
    table = {}
    for _n in names:
        table[_n] = _n.upper() + '!'
    del _n
    def get(self, k): return self.table[k]
'''),
    ],
]


def setup(ns):
    ns.a=ns.mod.A()


def check(ns):
    assert ns.a.get('c')=='C!' and ns.a.get('a')=='A!' and not hasattr(ns.mod.A,'_n')
