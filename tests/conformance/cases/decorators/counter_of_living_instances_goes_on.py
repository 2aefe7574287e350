"""A counter of instances goes on where the instances live that a class decorator saw when it was applied again."""
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
    space = {}
    exec(text_of(names), space)
    cls.__repr__ = space["__repr__"]
    return cls
''',
    'mod.py': '''\
from gen import Field, record
@record
class Point:
    x = Field()
    y = Field()
def get(): return repr(Point()), len({Point.x.number, Point.y.number, Field().number}) == 3
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
    space = {}
    exec(text_of(names), space)
    cls.__repr__ = space["__repr__"]
    return cls
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.get()) == ('new x+y', True), (m.get())
