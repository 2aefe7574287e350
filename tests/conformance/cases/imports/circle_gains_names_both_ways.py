"""Two modules that import each other each gain a name that the other one takes."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'
IMPORT = ["first"]

FILES = {
    'first.py': '''\
import second


def one():
    return 1
''',
    'second.py': '''\
import first


def two():
    return 2
''',
}

STEPS = [
    [
        ('write', 'first.py', 'FACTOR = 3\nfrom second import BASE\n\nTOTAL = FACTOR * BASE\n\n\ndef one():\n    return TOTAL\n'),
        ('write', 'second.py', 'from first import FACTOR\n\nBASE = FACTOR + 1\n\n\ndef two():\n    return BASE\n'),
    ],
]


def check(ns):
    assert ns.first.one() == 12
    assert ns.import_("second").two() == 4
