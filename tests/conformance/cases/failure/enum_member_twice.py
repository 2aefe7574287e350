"""An enum that names a member twice is refused: the members are those that others hold."""
WEIGHT = 2
TAGS = ['failure', 'classes', 'held']
PYTHON = '3.8'

_OLD = '''\
import enum


class Color(enum.Enum):
    RED = 1
    GREEN = 2


names = {Color.RED: "red"}
'''
_BAD = '''\
import enum


class Color(enum.Enum):
    RED = 1
    GREEN = 3
    GREEN = 2
    BLUE = 4


names = {Color.RED: "red"}
'''
_GOOD = '''\
import enum


class Color(enum.Enum):
    RED = 1
    GREEN = 3
    BLUE = 4


names = {Color.RED: "red"}
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.red, ns.green = ns.mod.Color


def check_1(ns):
    assert list(ns.mod.Color) == [ns.red, ns.green] and ns.mod.Color(2) is ns.green
    assert ns.mod.names[ns.red] == "red"


def check_2(ns):
    assert [one.name for one in ns.mod.Color] == ["RED", "GREEN", "BLUE"] and ns.mod.Color(3) is ns.mod.Color.GREEN
    assert ns.mod.names[ns.mod.Color.RED] == "red"
