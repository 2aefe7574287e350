"""A table gains an entry, and a new statement below takes it out again where a library is missing."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
try:
    import missing_one as one
except ImportError:
    one = None

TABLE = {"plain": 1, "one": 2}
if one is None:
    TABLE.pop("one")
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '    one = None\n', '    one = None\ntry:\n    import missing_two as two\nexcept ImportError:\n    two = None\n'),
        ('sub', 'mod.py', '"one": 2}', '"one": 2, "two": 3, "more": 4}'),
        ('sub', 'mod.py', 'TABLE.pop("one")\n', 'TABLE.pop("one")\nif two is None:\n    TABLE.pop("two")\n'),
    ],
]


def setup(ns):
    ns.held = ns.mod.TABLE


def check(ns):
    assert ns.mod.TABLE == {"plain": 1, "more": 4}
    assert ns.held is ns.mod.TABLE
