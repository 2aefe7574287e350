"""The same, with the definitions and the package unchanged."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'pkg/__init__.py': '''\
from .more import *
from .recipes import *
''',
    'pkg/more.py': '''\
__all__ = ["Stats", "running", "chunked"]
class Stats:
    def v(self): return 1
def running(x): return x + 1
def chunked(x): return x
''',
    'pkg/recipes.py': '''\
__all__ = ["take"]
def take(n): return n
''',
    'mod.py': '''\
import pkg
from pkg import running as R, Stats as S
s = pkg.Stats()
''',
}

STEPS = [
    [
        ('write', 'pkg/more.py', '''\
__all__ = ["chunked"]
def chunked(x): return x
'''),
        ('write', 'pkg/recipes.py', '''\
__all__ = ["take", "running", "Stats"]
class Stats:
    def v(self): return 1
def take(n): return n
def running(x): return x + 1
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.pkg.Stats is m.pkg.recipes.Stats, m.pkg.running is m.pkg.recipes.running, m.pkg.running(1)) == (True, True, 2), (m.pkg.Stats is m.pkg.recipes.Stats, m.pkg.running is m.pkg.recipes.running, m.pkg.running(1))
    assert (m.R is m.pkg.running, m.S is m.pkg.Stats, m.s.v(), m.pkg.Stats.__module__) == (True, True, 1, 'pkg.recipes'), (m.R is m.pkg.running, m.S is m.pkg.Stats, m.s.v(), m.pkg.Stats.__module__)
