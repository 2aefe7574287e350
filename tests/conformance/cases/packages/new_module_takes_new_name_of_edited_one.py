"""A new module imports a name that another file of the same save adds, and a value that it changes."""
WEIGHT = 2
TAGS = ['packages']
PYTHON = '3.8'
IMPORT = ["pkg.api"]

FILES = {
    'pkg/__init__.py': '''\
''',
    'pkg/base.py': '''\
LIMIT = 1
''',
    'pkg/api.py': '''\
from .base import LIMIT


def limit():
    return LIMIT
''',
}

STEPS = [
    [
        ('write', 'pkg/extra.py', 'from .base import LIMIT, double\n\nDOUBLED = double(LIMIT)\n'),
        ('write', 'pkg/base.py', 'LIMIT = 5\n\n\ndef double(x):\n    return 2 * x\n'),
        ('write', 'pkg/api.py', 'from .base import LIMIT\nfrom .extra import DOUBLED\n\n\ndef limit():\n    return LIMIT, DOUBLED\n'),
    ],
]


def check(ns):
    assert ns.import_("pkg.api").limit() == (5, 10)
    assert ns.import_("pkg.extra").LIMIT == 5
