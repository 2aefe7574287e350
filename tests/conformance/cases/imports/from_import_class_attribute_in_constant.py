"""A constant made of an attribute of an imported class follows when that attribute is edited."""
WEIGHT = 3
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'config.py': '''\
from enum import Enum
class Config:
    TIMEOUT = 10
class Level(Enum):
    LOW = 1
    HIGH = 2
''',
    'stars.py': '''\
from config import *
BY_STAR = Config.TIMEOUT + 1
''',
    'mod.py': '''\
import stars
from config import Config, Level as L
LIMIT = Config.TIMEOUT * 2
class Client:
    timeout = Config.TIMEOUT
def wait(seconds=Config.TIMEOUT):
    return seconds
NUMBERS = {L.LOW.name: L.LOW.value, L.HIGH.name: L.HIGH.value}
def get():
    return LIMIT, Client.timeout, wait(), stars.BY_STAR, NUMBERS
''',
}

STEPS = [
    [
        ('write', 'config.py', '''\
from enum import Enum
class Config:
    TIMEOUT = 30
class Level(Enum):
    LOW = 1
    HIGH = 5
'''),
    ],
]


def check(ns):
    got = ns.mod.get()
    assert got == (60, 30, 30, 31, {"LOW": 1, "HIGH": 5}), got
