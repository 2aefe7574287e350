"""A property called __name__ of the instances is edited."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class excepts:
    def __init__(self): self.exc = 3
    @property
    def __name__(self):
        return "old"
    def go(self): return 1
e = excepts()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class excepts:
    def __init__(self): self.exc = 3
    @property
    def __name__(self):
        exc = self.exc
        return f"{exc}_new"
    @property
    def __doc__(self): return "docs"
    def go(self): return 2
e = excepts()
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.e.__name__, m.excepts.__name__, m.e.go()) == ('3_new', 'excepts', 2), (m.e.__name__, m.excepts.__name__, m.e.go())
