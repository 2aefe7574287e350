"""The body of a @contextmanager changes; it is used as a with block and as a decorator."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from contextlib import contextmanager
LOG = []
@contextmanager
def section(name):
    LOG.append("in " + name)
    yield name
    LOG.append("out " + name)
@section("deco")
def f():
    LOG.append("f")
def run():
    with section("x") as s:
        LOG.append(s)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from contextlib import contextmanager
LOG = []
@contextmanager
def section(name):
    LOG.append("IN " + name)
    try:
        yield name.upper()
    finally:
        LOG.append("OUT " + name)
@section("deco")
def f():
    LOG.append("f")
def run():
    with section("x") as s:
        LOG.append(s)
''',
        ),
    ],
]


def setup(ns):
    ns.run, ns.section, ns.f = ns.mod.run, ns.mod.section, ns.mod.f


def check(ns):
    del ns.mod.LOG[:]
    ns.run()
    assert ns.mod.LOG == ["IN x", "X", "OUT x"]
    with ns.section("y") as s:
        assert s == "Y"
    del ns.mod.LOG[:]
    ns.f()
    assert ns.mod.LOG == ["IN deco", "f", "OUT deco"]
