"""`# hotswap: rerun` runs a statement again when what it reads changed."""
WEIGHT = 1
TAGS = ['state', 'derived', 'pragma']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import side
SIZE = 3
POOL = side.open_pool(SIZE)  # hotswap: rerun
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


def check(ns):
    assert ns.mod.POOL == ['pool', 4], ns.mod.POOL
    assert ns.side.calls == [3, 4]
