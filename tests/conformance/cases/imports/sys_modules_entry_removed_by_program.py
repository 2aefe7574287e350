"""A module that the program took out of sys.modules and imported again: the new copy is edited, the old one too."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
def f():
    return 1
''',
}

STEPS = [
    [
        ('sub', 'lib.py', 'return 1', 'return 2'),
    ],
]


def setup(ns):
    import sys
    ns.old = ns.lib
    del sys.modules['lib']
    ns.new = ns.import_('lib')


def check(ns):
    assert ns.new.f() == 2
    assert ns.old.f() in (1, 2)
