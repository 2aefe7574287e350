"""A value made by a call with effects is not made again when its input changes."""
WEIGHT = 2
TAGS = ['state', 'derived', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import side
SIZE = 3
POOL = side.open_pool(SIZE)
''',
    'side.py': '''\
calls = []
def open_pool(size):
    calls.append(size)
    return ['pool', size]
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'SIZE = 3', 'SIZE = 4'),
    ],
]


def setup(ns):
    ns.pool = ns.mod.POOL


def check(ns):
    assert ns.mod.SIZE == 4
    assert ns.side.calls == [3], ns.side.calls
    assert ns.mod.POOL is ns.pool
