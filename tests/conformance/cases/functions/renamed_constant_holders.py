"""A renamed constant: the old name is gone, users of the new one work."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
TIMEOUT = 5
def get():
    return TIMEOUT
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
LIMIT = 5
def get():
    return LIMIT
'''),
    ],
]


def setup(ns):
    ns.get = ns.mod.get


def check(ns):
    assert ns.get() == 5
    assert not hasattr(ns.mod, 'TIMEOUT')
