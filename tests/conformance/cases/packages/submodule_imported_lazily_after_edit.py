"""A submodule added to a package is imported by an edited function."""
WEIGHT = 1
TAGS = ['packages', 'held']
PYTHON = "3.8"

FILES = {
    'p/__init__.py': '''\
def run():
    return 'plain'
''',
}

STEPS = [
    [
        ('write', 'p/plugin.py', '''\
from . import run
NAME = 'plug'
'''),
        ('write', 'p/__init__.py', '''\
def run():
    from . import plugin
    return plugin.NAME
'''),
    ],
]


def setup(ns):
    ns.run = ns.p.run


def check(ns):
    assert ns.run() == 'plug'
