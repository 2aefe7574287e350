"""A plugin class registered by __init_subclass__ under another key is there once."""

WEIGHT = 2
TAGS = ["classes", "registry"]
PYTHON = "3.8"

FILES = {
    "bus.py": """\
R = {}
class P:
    def __init_subclass__(cls, key=None, **k):
        R[key] = cls
""",
    "mod.py": """\
from bus import P
class A(P, key='a'): pass
class B(P, key='b'): pass
""",
}

STEPS = [
    [
        ("sub", "mod.py", "key='a'", "key='z'"),
    ],
]


def check(ns):
    got = [(k, c.__name__) for k, c in ns.bus.R.items()]
    assert got == [("z", "A"), ("b", "B")], got
