"""A registry of code objects, as profilers and debuggers keep them, holds the new ones."""
WEIGHT = 2
TAGS = ['functions']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
HIDDEN = set()


def hidden(f):
    HIDDEN.add(f.__code__)
    return f


@hidden
def work():
    return "old"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '"old"', '"new"'),
    ],
]


def check(ns):
    assert ns.mod.work() == "new"
    assert ns.mod.HIDDEN == {ns.mod.work.__code__}
