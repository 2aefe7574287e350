"""A nested block that registered something, with an else, is removed."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
TYPES = []
def reg(x): TYPES.append(x)
class Q: pass
if True:
    if len(TYPES) > 3:
        reg(Q)
        VAL = 1
    else:
        VAL = 2
        reg(Q)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
TYPES = []
def reg(x): TYPES.append(x)
class Q: pass
if True:
    VAL = 3
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.VAL, len(m.TYPES)) == (3, 0), (m.VAL, len(m.TYPES))
