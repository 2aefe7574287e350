"""Values that can be made only once what they call is committed follow through a star import."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'base.py': '''\
class C:
    def __init__(self): self.v = make()
def make(): return {"a": 1}
''',
    'src.py': '''\
import base
TABLE = base.make()
class K(base.C):
    W = base.make()
def use(): return TABLE
THING = base.C().v
''',
    'mod.py': '''\
from src import *
HELD = THING
''',
}

STEPS = [
    [
        ('write', 'base.py', '''\
class C:
    def __init__(self): self.v = make()
def make(): return {"b": 2}
'''),
        ('write', 'src.py', '''\
import base
TABLE = base.make()
class K(base.C):
    W = base.make()
def use(): return TABLE
THING = base.C().v, 3
NEW = base.C().v
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.TABLE, m.THING, m.K.W, m.NEW, m.use()) == ({'b': 2}, ({'b': 2}, 3), {'b': 2}, {'b': 2}, {'b': 2}), (m.TABLE, m.THING, m.K.W, m.NEW, m.use())
