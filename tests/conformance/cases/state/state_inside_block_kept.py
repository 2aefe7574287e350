"""A function edited inside an `if` block is patched; the block's state stays."""
WEIGHT = 1
TAGS = ['state', 'blocks', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import sys
if sys.maxsize > 1:
    CACHE = {}
    def get(k):
        return CACHE.get(k)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'CACHE.get(k)', "('new', CACHE.get(k))"),
    ],
]


def setup(ns):
    ns.cache = ns.mod.CACHE
    ns.cache['k'] = 1
    ns.get = ns.mod.get


def check(ns):
    assert ns.mod.CACHE is ns.cache
    assert ns.get('k') == ('new', 1), ns.get('k')
