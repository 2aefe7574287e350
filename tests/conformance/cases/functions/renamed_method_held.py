"""A renamed method: bound methods held elsewhere go on, the new name is there, the old one is gone."""
WEIGHT = 1
TAGS = ['functions', 'classes', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
class A:
    def compute_total(self, x):
        y = x * 2
        return y + 1
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'compute_total', 'total'),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    ns.m = ns.a.compute_total


def check(ns):
    assert ns.a.total(2) == 5
    assert not hasattr(ns.a, 'compute_total')
    assert ns.m(3) == 7
    assert ns.mod.A.total.__name__ == 'total'
