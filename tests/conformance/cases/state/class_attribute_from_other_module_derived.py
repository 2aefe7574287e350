"""A class attribute that reads another module's constant follows it, in subclasses too."""
WEIGHT = 1
TAGS = ['state', 'derived', 'classes']
PYTHON = "3.8"

FILES = {
    'conf.py': '''\
SIZE = 3
''',
    'mod.py': '''\
import conf
class A:
    size = conf.SIZE
    area = size * size
class B(A):
    big = A.area + 1
''',
}

STEPS = [
    [
        ('sub', 'conf.py', '= 3', '= 4'),
    ],
]


def setup(ns):
    ns.b = ns.mod.B()


def check(ns):
    assert ns.mod.A.size == 4
    assert ns.mod.A.area == 16
    assert ns.mod.B.big == 17, ns.mod.B.big
    assert ns.b.area == 16
