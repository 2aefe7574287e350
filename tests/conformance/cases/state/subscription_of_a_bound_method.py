"""Subscriptions of bound methods follow their statements."""
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
class H:
    def on(self): return 'on'
    def off(self): return 'off'
h = H()
bus.subscribe('x', h.on)
bus.subscribe('x', h.off)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "'x', h.on", "'z', h.on"),
    ],
    [
        ('sub', 'mod.py', "bus.subscribe('x', h.off)\n", ''),
    ],
]


def check(ns):
    got = {k: [f() for f in v] for k, v in ns.bus.bus.subs.items()}
    assert got == {'z': ['on']}, got
