"""A registry in a class attribute behind a classmethod follows a changed key."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
class Bus:
    handlers = {}
    @classmethod
    def on(cls, prio):
        def d(f):
            cls.handlers[prio] = f
            return f
        return d
''',
    'mod.py': '''\
from reg import Bus
@Bus.on(1)
def a(): return "a"
@Bus.on(2)
def b(): return "b"
@Bus.on(3)
def c(): return "c"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@Bus.on(2)', '@Bus.on(7)'),
    ],
]


def check(ns):
    got = [(k, f()) for k, f in ns.reg.Bus.handlers.items()]
    assert got == [(1, 'a'), (7, 'b'), (3, 'c')], got
