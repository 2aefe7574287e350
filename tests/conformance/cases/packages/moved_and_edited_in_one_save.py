"""A module moved and edited in one save keeps its state and has the new code."""
WEIGHT = 1
TAGS = ['packages', 'held']
PYTHON = "3.8"

FILES = {
    'old.py': '''\
STATE = []
def f():
    STATE.append(1)
    return 'old', len(STATE)
def g():
    return 'g'
class K:
    def m(self):
        return 'm'
''',
    'mod.py': '''\
import old
def call():
    return old.f()
''',
}

STEPS = [
    [
        ('delete', 'old.py'),
        ('write', 'new.py', '''\
STATE = []
def f():
    STATE.append(1)
    return 'new', len(STATE)
def g():
    return 'g'
class K:
    def m(self):
        return 'm'
'''),
        ('write', 'mod.py', '''\
import new
def call():
    return new.f()
'''),
    ],
]


def setup(ns):
    ns.call = ns.mod.call
    ns.call()


def check(ns):
    assert ns.call() == ('new', 2), ns.call()
