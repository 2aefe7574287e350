"""typing.overload stubs are added and changed around one implementation."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import overload
@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str: ...
def f(x):
    return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from typing import overload
@overload
def f(x: int) -> int: ...
@overload
def f(x: bytes) -> bytes: ...
@overload
def f(x: str) -> str: ...
def f(x):
    return [x]
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check(ns):
    assert ns.f(1) == [1] == ns.mod.f(1) and ns.f is ns.mod.f
