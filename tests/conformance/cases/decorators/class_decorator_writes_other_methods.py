"""A class decorator that writes methods as text is applied again when a function that it calls is edited; a counter counts once."""
WEIGHT = 2
TAGS = ['decorators']
PYTHON = '3.8'

FILES = {
    'gen.py': '''\
class Field:
    made = 0
    def __init__(self):
        Field.made += 1
        self.number = Field.made
def text_of(names):
    return "def __repr__(self): return 'old ' + ' '.join(%r)" % (names,)
def record(cls):
    names = [name for name, value in vars(cls).items() if isinstance(value, Field)]
    for name in names:
        delattr(cls, name)
    space = {}
    exec(text_of(names), space)
    cls.__repr__ = space["__repr__"]
    cls.names = names
    return cls
''',
    'mod.py': '''\
from gen import Field, record
@record
class Point:
    x = Field()
    y = Field()
    seen = []
point = Point()
held = [Point]
Point.seen.append(point)
def get():
    return repr(point), held[0] is Point, len(Point.seen), Field.made
''',
}

STEPS = [
    [
        ('write', 'gen.py', '''\
class Field:
    made = 0
    def __init__(self):
        Field.made += 1
        self.number = Field.made
def text_of(names):
    return "def __repr__(self): return 'new ' + '+'.join(%r)" % (names,)
def record(cls):
    names = [name for name, value in vars(cls).items() if isinstance(value, Field)]
    for name in names:
        delattr(cls, name)
    space = {}
    exec(text_of(names), space)
    cls.__repr__ = space["__repr__"]
    cls.names = names
    return cls
'''),
    ],
]


def check(ns):
    assert ns.mod.get() == ("new x+y", True, 1, 2), ns.mod.get()
