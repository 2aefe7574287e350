"""A package whose `__init__` re-exports another name, under an alias and from another submodule."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'p/__init__.py': '''\
from .one import f
__all__ = ['f']
''',
    'p/one.py': '''\
def f():
    return 1
''',
    'p/two.py': '''\
def f():
    return 2
G = 5
''',
    'mod.py': '''\
from p import f
import p
def get():
    return f(), p.f()
''',
}

STEPS = [
    [
        ('write', 'p/__init__.py', '''\
from .two import f, G as extra
__all__ = ['f', 'extra']
'''),
    ],
]


def check(ns):
    assert ns.mod.get() == (2, 2), ns.mod.get()
    assert ns.p.extra == 5 and ns.p.__all__ == ['f', 'extra']
