"""A decorator whose argument reads a changed constant is applied again."""
WEIGHT = 1
TAGS = ['state', 'derived', 'decorators']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
TIMES = 2
def repeat(n):
    def deco(fn):
        def wrapper():
            return [fn()] * n
        return wrapper
    return deco
@repeat(TIMES)
def f():
    return 'x'
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'TIMES = 2', 'TIMES = 3'),
    ],
]


def check(ns):
    assert ns.mod.f() == ['x'] * 3, ns.mod.f()
