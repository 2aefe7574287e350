"""One of two slots goes; instances keep the other."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class P:
    __slots__ = ("x", "old")
    def __init__(self, x):
        self.x = x
        self.old = None
POOL = [P(1), P(2)]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class P:
    __slots__ = ("x",)
    def __init__(self, x):
        self.x = x
POOL = [P(1), P(2)]
''',
        ),
    ],
]


def setup(ns):
    ns.pool = ns.mod.POOL
    ns.pool[0].x = 10


def check(ns):
    assert [p.x for p in ns.mod.POOL] == [10, 2] and not hasattr(ns.mod.POOL[0], "old")
    assert type(ns.pool[0]) is ns.mod.P
    try:
        ns.pool[0].old = 1
    except AttributeError:
        pass
    else:
        raise AssertionError("the slot should be gone")
