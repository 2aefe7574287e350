"""A renamed function is the same object for those that held it, and the report calls it a guess."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def fetch_all(url, retries=3):
    total = retries * 2
    return (url, total)
TABLE = {'f': fetch_all}
''',
    'user.py': '''\
import mod
CB = [mod.fetch_all]
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def fetch(url, retries=3):
    total = retries * 2
    return (url, total)
TABLE = {'f': fetch}
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.fetch_all


def check(ns):
    assert ns.mod.fetch is ns.f and ns.f.__name__ == 'fetch'
    assert not hasattr(ns.mod, 'fetch_all')
    assert ns.mod.TABLE['f'] is ns.f
    assert ns.user.CB[0] is ns.mod.fetch
