"""After a refused edit another edit of the same file is compared with what runs, not with the refused text."""
WEIGHT = 1
TAGS = ['failure', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
A = 1
S = []
def f():
    return 'old'
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
A = 2
S = []
def f():
    return 'broken'
1 / 0
'''),
    ],
    [
        ('write', 'mod.py', '''\
A = 1
S = []
def f():
    return 'new'
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f
    ns.mod.S.append('state')


def check_1(ns):
    assert ns.f() == 'old' and ns.mod.A == 1


def check(ns):
    assert ns.f() == 'new' and ns.mod.A == 1 and ns.mod.S == ['state']
