"""A name that a changed loop no longer assigns gets the value of the statement before it."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
target = "base"
for part in ("a", "b"):
    target = target + part
STATE = []
def get():
    return target, last
last = None
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
target = "base"
for part in ("a", "b"):
    longer = target + part
STATE = []
def get():
    return target, last
last = longer
'''),
    ],
]


def check(ns):
    assert ns.mod.get() == ("base", "baseb"), ns.mod.get()
