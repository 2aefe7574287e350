"""Relative imports of constants and modules follow an edit."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'p/__init__.py': '''\
from . import core
from .core import N
''',
    'p/core.py': '''\
N = 1
''',
    'p/sub/__init__.py': '''\
from ..core import N as M
''',
    'p/sub/leaf.py': '''\
from .. import core
from ..core import N
from . import M
def get():
    return core.N, N, M
''',
}

STEPS = [
    [
        ('sub', 'p/core.py', 'N = 1', 'N = 2'),
    ],
]


def setup(ns):
    ns.import_('p.sub.leaf')


def check(ns):
    import sys
    assert sys.modules['p.sub.leaf'].get() == (2, 2, 2)
    assert ns.p.N == 2
