"""An unchanged mutable default keeps what it gathered; an edited one is new."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def keep(x, seen=[]):
    seen.append(x)
    return seen
def fresh(x, seen=[]):
    seen.append(x)
    return seen
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def keep(x, seen=[], *, more=False):
    seen.append(x)
    return list(seen)
def fresh(x, seen=['start']):
    seen.append(x)
    return seen
'''),
    ],
]


def setup(ns):
    ns.keep, ns.fresh = ns.mod.keep, ns.mod.fresh
    ns.keep(1)
    ns.fresh(1)


def check(ns):
    assert ns.keep(2) == [1, 2]
    assert ns.fresh(2) == ['start', 2]
