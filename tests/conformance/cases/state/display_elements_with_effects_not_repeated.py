"""Only the added element of an edited table is evaluated."""
WEIGHT = 2
TAGS = ['state', 'displays', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import side
POOLS = {'a': side.make('a'), 'b': side.make('b')}
''',
    'side.py': '''\
made = []
def make(name):
    made.append(name)
    return [name]
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "'b': side.make('b')", "'b': side.make('b'), 'c': side.make('c')"),
    ],
]


def setup(ns):
    ns.a = ns.mod.POOLS['a']
    ns.pools = ns.mod.POOLS


def check(ns):
    assert ns.side.made == ['a', 'b', 'c'], ns.side.made
    assert ns.mod.POOLS['a'] is ns.a
    assert ns.mod.POOLS['c'] == ['c']
    assert ns.mod.POOLS is ns.pools
