"""A flag edited above an unchanged `if` flips what the block binds."""
WEIGHT = 2
TAGS = ['state', 'blocks', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
DEBUG = False
if DEBUG:
    LEVEL = 'debug'
    def log(x):
        return 'D' + x
else:
    LEVEL = 'info'
    def log(x):
        return 'I' + x
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'DEBUG = False', 'DEBUG = True'),
    ],
]


def setup(ns):
    ns.log = ns.mod.log


def check(ns):
    assert ns.mod.LEVEL == 'debug'
    assert ns.mod.log('x') == 'Dx'
    assert ns.log('x') == 'Dx', 'a held reference follows'
