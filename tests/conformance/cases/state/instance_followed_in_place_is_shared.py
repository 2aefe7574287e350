"""An instance made again of changed values stays one object for all that hold it."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Conf:
    def __init__(self, a, b=None): self.a, self.b = a, b or {}
A = 1
C = Conf(A, {"k": [A]})
REF = {"c": C}
LST = [C, C]
def use(): return C.a, C.b, REF["c"] is C, LST[0] is LST[1] is C
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class Conf:
    def __init__(self, a, b=None): self.a, self.b = a, b or {}
A = 2
C = Conf(A, {"k": [A]})
REF = {"c": C}
LST = [C, C]
def use(): return C.a, C.b, REF["c"] is C, LST[0] is LST[1] is C
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.use()) == (2, {'k': [2]}, True, True), (m.use())
