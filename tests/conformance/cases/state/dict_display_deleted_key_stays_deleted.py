"""A key that the program deleted stays deleted, an edited key wins, an added key comes."""
WEIGHT = 1
TAGS = ['state', 'displays', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
T = {'a': 1, 'b': 2, 'c': 3}
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
T = {'a': 1, 'b': 20, 'c': 3, 'd': 4}
'''),
    ],
]


def setup(ns):
    ns.t = ns.mod.T
    del ns.t['a']
    ns.t['c'] = 30
    ns.t['x'] = 9


def check(ns):
    assert ns.mod.T == {'b': 20, 'c': 30, 'd': 4, 'x': 9}, ns.mod.T
    assert ns.t is ns.mod.T
