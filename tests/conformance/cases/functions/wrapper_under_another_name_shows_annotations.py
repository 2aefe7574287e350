"""A wrapper that stands under another name shows the edited annotations and docstring."""
WEIGHT = 2
TAGS = ['functions']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools


def plain(x: int) -> int:
    "Old."
    return x


def twice(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args) * 2
    return wrapper


doubled = twice(plain)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'x: int) -> int', 'x: float) -> float'),
        ('sub', 'mod.py', '"Old."', '"New."'),
    ],
]


def check(ns):
    assert ns.mod.doubled.__annotations__ == {"x": float, "return": float}
    assert ns.mod.doubled.__doc__ == "New."
    assert ns.mod.doubled(2) == 4
