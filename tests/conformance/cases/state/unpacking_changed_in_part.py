"""Of a tuple assignment only the edited part changes; what the program did to the other stays."""
WEIGHT = 1
TAGS = ['state', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
cache, LIMIT = {}, 10
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '10', '20'),
    ],
]


def setup(ns):
    ns.cache = ns.mod.cache
    ns.cache['k'] = 1


def check(ns):
    assert ns.mod.LIMIT == 20
    assert ns.mod.cache is ns.cache and ns.cache == {'k': 1}
