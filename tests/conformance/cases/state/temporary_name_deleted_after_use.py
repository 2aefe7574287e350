"""A temporary name that the module deletes is there while its users run again."""
WEIGHT = 1
TAGS = ['state', 'chains']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
_tmp = [1, 2]
TOTAL = sum(_tmp)
del _tmp
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '[1, 2]', '[1, 2, 3]'),
    ],
    [
        ('sub', 'mod.py', 'sum(_tmp)', 'sum(_tmp) * 10'),
    ],
]


def check_1(ns):
    assert ns.mod.TOTAL == 6, ns.mod.TOTAL
    assert not hasattr(ns.mod, '_tmp')


def check(ns):
    assert ns.mod.TOTAL == 60, ns.mod.TOTAL
    assert not hasattr(ns.mod, '_tmp')
