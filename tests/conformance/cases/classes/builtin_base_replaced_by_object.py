"""A class that derived from dict becomes a plain class with its own storage: new instances are plain."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Store(dict):
    def size(self):
        return len(self)
def make():
    return Store()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Store:
    def __init__(self):
        self.items = []
    def size(self):
        return len(self.items)
def make():
    return Store()
''',
        ),
    ],
]


def setup(ns):
    ns.make = ns.mod.make


def check(ns):
    s = ns.make()
    assert s.size() == 0 and s.items == [] and not isinstance(s, dict)
    assert type(s) is ns.mod.Store
