"""A runtime_checkable protocol that gets a method: isinstance follows."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import Protocol, runtime_checkable
@runtime_checkable
class Closer(Protocol):
    def close(self): ...
class F:
    def close(self):
        pass
class G:
    def close(self):
        pass
    def flush(self):
        pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from typing import Protocol, runtime_checkable
@runtime_checkable
class Closer(Protocol):
    def close(self): ...
    def flush(self): ...
class F:
    def close(self):
        pass
class G:
    def close(self):
        pass
    def flush(self):
        pass
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.g, ns.C = ns.mod.F(), ns.mod.G(), ns.mod.Closer
    assert isinstance(ns.f, ns.C) and isinstance(ns.g, ns.C)


def check(ns):
    assert not isinstance(ns.f, ns.C) and isinstance(ns.g, ns.C) and isinstance(ns.g, ns.mod.Closer)
