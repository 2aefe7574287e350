"""Members added, changed and removed: the rest keep their identity, dict keys and defaults go on."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class Color(Enum):
    RED = 1
    GREEN = 2
    BLUE = 3
    OLD = 4
TABLE = {Color.RED: "r", Color.GREEN: "g"}
def paint(c=Color.RED):
    return TABLE[c]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum
class Color(Enum):
    RED = 1
    GREEN = 22
    BLUE = 3
    CYAN = 5
    def hex(self):
        return hex(self.value)
TABLE = {Color.RED: "r", Color.GREEN: "g"}
def paint(c=Color.RED):
    return TABLE[c]
''',
        ),
    ],
]


def setup(ns):
    ns.red, ns.green, ns.paint = ns.mod.Color.RED, ns.mod.Color.GREEN, ns.mod.paint


def check(ns):
    C = ns.mod.Color
    assert ns.red is C.RED is C(1) and ns.green is C.GREEN and C(22) is C.GREEN
    assert [m.name for m in C] == ["RED", "GREEN", "BLUE", "CYAN"] and len(C) == 4
    assert ns.paint() == "r" and ns.mod.TABLE[C.GREEN] == "g" and ns.red.hex() == "0x1"
    assert not hasattr(C, "OLD") and isinstance(ns.green, C)
    for bad in (2, 4):
        try:
            C(bad)
        except ValueError:
            pass
        else:
            raise AssertionError(bad)
