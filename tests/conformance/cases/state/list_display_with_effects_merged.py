"""Only the added element of an edited list is evaluated, the others are the same objects."""
WEIGHT = 1
TAGS = ['state', 'displays', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import side
WORKERS = [side.Worker(1), side.Worker(2)]
''',
    'side.py': '''\
made = []
class Worker:
    def __init__(self, n):
        made.append(n)
        self.n = n
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'side.Worker(2)]', 'side.Worker(2), side.Worker(3)]'),
    ],
]


def setup(ns):
    ns.first = ns.mod.WORKERS[0]


def check(ns):
    assert ns.side.made == [1, 2, 3], ns.side.made
    assert ns.mod.WORKERS[0] is ns.first
    assert [w.n for w in ns.mod.WORKERS] == [1, 2, 3]
