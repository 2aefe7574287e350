"""What the program subscribed by itself stays when the source's own subscription is removed."""
WEIGHT = 2
TAGS = ['state', 'registry']
PYTHON = '3.8'

FILES = {
    'bus.py': '''\
class Bus:
    def __init__(self): self.subs = {}
    def subscribe(self, evt, fn, prio=0):
        self.subs.setdefault(evt, []).append(fn)
    def emit(self, evt): return [f() for f in self.subs.get(evt, [])]
bus = Bus()
''',
    'mod.py': '''\
from bus import bus
def a(): return "a"
def b(): return "b"
def c(): return "c"
bus.subscribe("x", a)
bus.subscribe("x", b)
bus.subscribe("y", c)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'bus.subscribe("x", a)\n', ''),
    ],
]


def setup(ns):
    ns.bus.bus.subscribe('rt', ns.mod.a)


def check(ns):
    got = {k: [f() for f in v] for k, v in ns.bus.bus.subs.items()}
    assert got == {'x': ['b'], 'y': ['c'], 'rt': ['a']}, got
