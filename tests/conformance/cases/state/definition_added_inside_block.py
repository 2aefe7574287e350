"""A definition added inside an `if` block appears; the block's state stays."""
WEIGHT = 2
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
        ('sub', 'mod.py', '    def get(k):\n', '    def put(k, v):\n        CACHE[k] = v\n    def get(k):\n'),
    ],
]


def setup(ns):
    ns.cache = ns.mod.CACHE
    ns.cache['k'] = 1
    ns.get = ns.mod.get


def check(ns):
    ns.mod.put('b', 2)
    assert ns.mod.CACHE == {'k': 1, 'b': 2}, ns.mod.CACHE
    assert ns.get('b') == 2
