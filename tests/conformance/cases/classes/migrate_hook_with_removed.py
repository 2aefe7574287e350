"""__hotswap_migrate__ is told what __init__ no longer sets, and the old values."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class P:
    def __init__(self, first="A", last="B"):
        self.first = first
        self.last = last
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class P:
    def __init__(self, name="A B"):
        self.name = name
    def __hotswap_migrate__(self, added, removed, old_values):
        if "name" in added:
            self.name = old_values["first"] + " " + old_values["last"]
            for name in removed:
                delattr(self, name)
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P()


def check(ns):
    assert ns.p.name == "A B" and not hasattr(ns.p, "first") and not hasattr(ns.p, "last")
