"""An enum that becomes a StrEnum-like or an IntEnum has members of the new kind, also where others hold them."""
WEIGHT = 3
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'kinds.py': '''\
from enum import Enum, IntEnum
class Text(str, Enum):
    pass
class Color(Enum):
    RED = 1
    BLUE = 2
class Word(str, Enum):
    YES = "yes"
    NO = "no"
    def __str__(self):
        return "old " + self.value
''',
    'mod.py': '''\
import kinds
from kinds import Color, Word
held = {"color": Color.RED, "words": [Word.YES, Word.NO]}
class Car:
    def __init__(self):
        self.color = Color.BLUE
car = Car()
def get():
    return (held["color"] is kinds.Color.RED, isinstance(car.color, int), kinds.Color.RED == 1, car.color is Color.BLUE,
            isinstance(held["color"], kinds.Color), str(held["words"][0]), [kinds.Word("no") is held["words"][1]],
            kinds.Word.__mro__[1].__name__)
''',
}

STEPS = [
    [
        ('write', 'kinds.py', '''\
from enum import Enum, IntEnum
class Text(str, Enum):
    pass
class Color(IntEnum):
    RED = 1
    BLUE = 2
class Word(Text):
    YES = "yes"
    NO = "no"
    def __str__(self):
        return "new " + self.value
'''),
    ],
]


def check(ns):
    got = ns.mod.get()
    assert got == (True, True, True, True, True, "new yes", [True], "Text"), got
