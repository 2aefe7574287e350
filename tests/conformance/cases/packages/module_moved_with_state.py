"""A module moved into a package with its importers edited in the same save keeps its state."""
WEIGHT = 2
TAGS = ['packages', 'held']
PYTHON = "3.8"

FILES = {
    'store.py': '''\
CACHE = {}
def put(k, v):
    CACHE[k] = v
def get(k):
    return CACHE.get(k)
''',
    'mod.py': '''\
import store
from store import get
def read(k):
    return get(k), store.get(k)
''',
    'pkg/__init__.py': '',
}

STEPS = [
    [
        ('move', 'store.py', 'pkg/store.py'),
        ('write', 'mod.py', '''\
from pkg import store
from pkg.store import get
def read(k):
    return get(k), store.get(k)
'''),
    ],
]


def setup(ns):
    ns.mod.store.put('a', 1)
    ns.read = ns.mod.read


def check(ns):
    import sys
    assert ns.read('a') == (1, 1), ns.read('a')
    assert 'store' not in sys.modules
    assert sys.modules['pkg.store'].CACHE == {'a': 1}
    assert ns.pkg.store is sys.modules['pkg.store']
