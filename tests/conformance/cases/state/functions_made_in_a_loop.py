"""Functions made by a top-level loop get their new body."""
WEIGHT = 1
TAGS = ['state', 'blocks', 'functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
OPS = {}
for _name, _factor in (('one', 1), ('two', 2)):
    def op(x, factor=_factor):
        return x * factor
    OPS[_name] = op
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'x * factor', 'x * factor + 100'),
    ],
]


def setup(ns):
    ns.two = ns.mod.OPS['two']


def check(ns):
    assert ns.two(5) == 110, ns.two(5)
    assert ns.mod.OPS['one'](5) == 105
