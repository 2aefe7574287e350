"""After the program's own importlib.reload, edits reach the module as before."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'lib.py': '''\
N = 1
def f():
    return N
''',
}

STEPS = [
    [
        ('sub', 'lib.py', 'N = 1', 'N = 2'),
    ],
    [
        ('sub', 'lib.py', 'return N', 'return N * 10'),
    ],
]


def setup(ns):
    import importlib
    ns.lib = importlib.reload(ns.lib)
    ns.f = ns.lib.f


def check(ns):
    assert ns.lib.f() == 20
    assert ns.f() == 20
