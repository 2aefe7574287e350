"""`from __future__ import annotations` removed: annotations are objects again."""
WEIGHT = 1
TAGS = ['state', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
from __future__ import annotations
def f(x: int) -> str:
    return str(x)
class A:
    n: int = 1
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'from __future__ import annotations\n', ''),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f.__annotations__ == {'x': int, 'return': str}, ns.f.__annotations__
    assert ns.mod.A.__annotations__ == {'n': int}, ns.mod.A.__annotations__
