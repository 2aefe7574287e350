"""A field added to a dataclass nested in a class is there on its instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
class Outer:
    @dataclass
    class Opt:
        a: int = 1
    def __init__(self):
        self.opt = self.Opt()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from dataclasses import dataclass
class Outer:
    @dataclass
    class Opt:
        a: int = 1
        b: str = "x"
    def __init__(self):
        self.opt = self.Opt()
''',
        ),
    ],
]


def setup(ns):
    ns.o = ns.mod.Outer()
    ns.Opt = ns.mod.Outer.Opt


def check(ns):
    assert repr(ns.o.opt) == "Outer.Opt(a=1, b='x')"
    assert ns.o.opt == ns.mod.Outer.Opt() and type(ns.o.opt) is ns.mod.Outer.Opt
    assert ns.Opt(b="y").b == "y"
