"""A value that reads an attribute which a class inherits from a class of another module follows its edit."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'base.py': '''\
class Base:
    LIMIT = 1
    TAGS = ["a"]
    @classmethod
    def lim(cls): return cls.LIMIT
''',
    'mid.py': '''\
from base import Base
class Mid(Base):
    TWICE = Base.LIMIT * 2
    ALL = Base.TAGS + ["m"]
''',
    'mod.py': '''\
from mid import Mid
import mid
X = Mid.LIMIT
Y = Mid.TWICE
Z = mid.Mid.ALL
W = Mid.lim()
def f(n=Mid.LIMIT): return n
''',
}

STEPS = [
    [
        ('write', 'base.py', '''\
class Base:
    LIMIT = 5
    TAGS = ["a", "b"]
    @classmethod
    def lim(cls): return cls.LIMIT
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.X, m.Y, m.Z, m.f()) == (5, 10, ['a', 'b', 'm'], 5), (m.X, m.Y, m.Z, m.f())
