"""A script's constant, what is derived from it and a default follow; its state stays."""
WEIGHT = 1
TAGS = ['main', 'held']
PYTHON = "3.8"
MAIN = "script.py"

FILES = {
    'script.py': '''\
import sys
LIMIT = 1
DOUBLE = LIMIT * 2
SEEN = []
def f(n=LIMIT):
    return n, DOUBLE
if __name__ == '__main__':
    SEEN.append('ran')
''',
}

STEPS = [
    [
        ('sub', 'script.py', 'LIMIT = 1', 'LIMIT = 4'),
    ],
]


def setup(ns):
    ns.f = ns.main.f


def check(ns):
    assert ns.f() == (4, 8), ns.f()
    assert ns.main.SEEN == ['ran']
