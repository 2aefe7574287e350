"""A record that holds a removed handler goes from the list of records, whole."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
H = []
def on(prio=0):
    def d(f):
        H.append({'prio': prio, 'fn': f})
        return f
    return d
''',
    'mod.py': '''\
from reg import on
@on(1)
def a(): return "a"
@on(2)
def b(): return "b"
@on(3)
def c(): return "c"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@on(2)\ndef b(): return "b"\n', ''),
    ],
]


def check(ns):
    got = [(e['prio'], e['fn']()) for e in ns.reg.H]
    assert got == [(1, 'a'), (3, 'c')], got
