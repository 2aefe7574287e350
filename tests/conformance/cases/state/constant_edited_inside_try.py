"""A constant edited inside a `try` block changes; the connection beside it is kept."""
WEIGHT = 2
TAGS = ['state', 'blocks', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import side
try:
    LIMIT = 1
    conn = side.connect()
except OSError:
    conn = None
finally:
    DONE = True
''',
    'side.py': '''\
count = []
def connect():
    count.append(1)
    return object()
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'LIMIT = 1', 'LIMIT = 2'),
    ],
]


def setup(ns):
    ns.conn = ns.mod.conn


def check(ns):
    assert ns.mod.LIMIT == 2
    assert ns.side.count == [1], ns.side.count
    assert ns.mod.conn is ns.conn
