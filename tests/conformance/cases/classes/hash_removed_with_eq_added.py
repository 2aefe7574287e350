"""Adding __eq__ makes instances unhashable; adding __hash__ later makes them hashable again."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def __init__(self, n):
        self.n = n
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __init__(self, n):
        self.n = n
    def __eq__(self, other):
        return self.n == other.n
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __init__(self, n):
        self.n = n
    def __eq__(self, other):
        return self.n == other.n
    def __hash__(self):
        return hash(self.n)
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __init__(self, n):
        self.n = n
    def __eq__(self, other):
        return self.n == other.n
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A(1)


def check_1(ns):
    assert ns.a == ns.mod.A(1)
    try:
        hash(ns.a)
    except TypeError:
        pass
    else:
        raise AssertionError("still hashable")


def check_2(ns):
    assert hash(ns.a) == hash(1)


def check(ns):
    try:
        hash(ns.a)
    except TypeError:
        pass
    else:
        raise AssertionError("hashable after __hash__ went")
