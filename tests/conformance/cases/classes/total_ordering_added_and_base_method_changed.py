"""functools.total_ordering is added, and __lt__ edited under it."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
class V:
    def __init__(self, n):
        self.n = n
    def __eq__(self, o):
        return self.n == o.n
    def __lt__(self, o):
        return self.n < o.n
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
@functools.total_ordering
class V:
    def __init__(self, n):
        self.n = n
    def __eq__(self, o):
        return self.n == o.n
    def __lt__(self, o):
        return self.n < o.n
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
import functools
@functools.total_ordering
class V:
    def __init__(self, n):
        self.n = n
    def __eq__(self, o):
        return self.n == o.n
    def __lt__(self, o):
        return self.n > o.n
''',
        ),
    ],
]


def setup(ns):
    ns.a, ns.b = ns.mod.V(1), ns.mod.V(2)


def check_1(ns):
    assert ns.a <= ns.b and ns.b >= ns.a and ns.b > ns.a


def check(ns):
    assert ns.b <= ns.a and ns.a > ns.b
