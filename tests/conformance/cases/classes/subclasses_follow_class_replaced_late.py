"""A class that can only be replaced once what its body calls is committed takes its subclasses in other modules along."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'conv.py': '''\
def helper(x):
    return {"h": x}
class Base:
    __slots__ = ("a",)
    def __init__(self):
        self.a = helper(1)
class Conv(Base):
    __slots__ = ("b",)
    table = helper("t")
    def __init__(self):
        super().__init__()
        self.b = 2
    def go(self): return self.b
''',
    'other.py': '''\
from conv import Conv
class JsonConv(Conv):
    def dumps(self): return ("json", self.go())
ONE = JsonConv()
''',
    'mod.py': '''\
import conv, other
from other import JsonConv as J
KEEP = [other.ONE]
''',
}

STEPS = [
    [
        ('write', 'conv.py', '''\
def helper(x):
    return {"new": x}
class Base:
    __slots__ = ("a",)
    def __init__(self):
        self.a = helper(1)
class Conv(Base):
    __slots__ = ("b", "c")
    table = helper("t")
    def __init__(self):
        super().__init__()
        self.b = 2
        self.c = 3
    def go(self): return self.b, self.c
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.KEEP[0].dumps(), m.KEEP[0] is m.other.ONE, isinstance(m.other.ONE, m.conv.Conv)) == (('json', (2, 3)), True, True), (m.KEEP[0].dumps(), m.KEEP[0] is m.other.ONE, isinstance(m.other.ONE, m.conv.Conv))
    assert (m.J is m.other.JsonConv, [k.__name__ for k in m.J.__mro__], m.J.__mro__[1] is m.conv.Conv) == (True, ['JsonConv', 'Conv', 'Base', 'object'], True), (m.J is m.other.JsonConv, [k.__name__ for k in m.J.__mro__], m.J.__mro__[1] is m.conv.Conv)
    assert (m.J().dumps()) == ('json', (2, 3)), (m.J().dumps())
    assert ([k.__name__ for k in m.conv.Conv.__subclasses__()]) == ['JsonConv'], ([k.__name__ for k in m.conv.Conv.__subclasses__()])
