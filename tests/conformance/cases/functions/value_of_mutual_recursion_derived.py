"""A table that was made by functions which call one another is made again when they change."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def even(n): return True if n == 0 else odd(n - 1)
def odd(n): return False if n == 0 else even(n - 1)
T = [even(i) for i in range(4)]
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def even(n): return 'E' if n == 0 else odd(n - 1)
def odd(n): return 'O' if n == 0 else even(n - 1)
T = [even(i) for i in range(4)]
'''),
    ],
]


def setup(ns):
    ns.even=ns.mod.even


def check(ns):
    assert ns.even(2)=='E' and ns.mod.T==['E','O','E','O']
