"""`# hotswap: keep` keeps a value although its statement was edited."""
WEIGHT = 1
TAGS = ['state', 'pragma', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
RATE = 1
# hotswap: keep
CACHE = {'rate': RATE}
SEED = 7  # hotswap: keep
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
RATE = 2
# hotswap: keep
CACHE = {'rate': RATE, 'new': 1}
SEED = 8  # hotswap: keep
'''),
    ],
]


def setup(ns):
    ns.cache = ns.mod.CACHE


def check(ns):
    assert ns.mod.CACHE is ns.cache and ns.mod.CACHE == {'rate': 1}
    assert ns.mod.SEED == 7
    assert ns.mod.RATE == 2
