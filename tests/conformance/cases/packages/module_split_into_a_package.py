"""A module that becomes a package with other content stays the module that others hold."""
WEIGHT = 2
TAGS = ['packages']
PYTHON = '3.8'

FILES = {
    'lib.py': '''\
def f(): return 1
''',
    'mod.py': '''\
import lib
from lib import f
def use(): return lib.f(), f()
''',
}

STEPS = [
    [
        ('delete', 'lib.py'),
        ('write', 'lib/__init__.py', '''\
from .core import f
'''),
        ('write', 'lib/core.py', '''\
def f(): return 2
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.use()) == (2, 2), (m.use())
