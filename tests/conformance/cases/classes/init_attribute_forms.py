"""New lines of __init__ of many forms reach live instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import collections
SIZE = 4
class A:
    def __init__(self, name):
        self.name = name
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import collections
SIZE = 4
class A:
    def __init__(self, name):
        self.name = name
        self.items = []
        self.index = {}
        self.size = SIZE
        self.total = SIZE * 2 + 1
        self.label = "<" + self.name + ">"
        self.upper = self.name.upper()
        self.queue = collections.deque()
        self.count: int = 0
        self.a = self.b = None
        self.left, self.right = 1, 2
        self.double = self.total * 2
''',
        ),
    ],
]


def setup(ns):
    ns.x, ns.y = ns.mod.A("x"), ns.mod.A("y")


def check(ns):
    x, y = ns.x, ns.y
    assert (x.items, x.index, x.size, x.total, x.label) == ([], {}, 4, 9, "<x>")
    assert x.items is not y.items and list(x.queue) == [] and x.count == 0
    assert x.a is None and x.b is None and (x.left, x.right) == (1, 2)
    assert y.upper == "Y" and y.double == 18 and y.label == "<y>"
