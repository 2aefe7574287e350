"""Of two assignments to a name the later one counts, also after an edit of the first."""
WEIGHT = 1
TAGS = ['state', 'chains']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
MODE = 'a'
FIRST = MODE
MODE = 'b'
def get():
    return FIRST, MODE
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "'a'", "'c'"),
    ],
]


def check(ns):
    assert ns.mod.get() == ('c', 'b'), ns.mod.get()
