"""Members with __init__ attributes: a changed tuple changes the attributes, a new method sees them."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class Planet(Enum):
    EARTH = (5, 6)
    MARS = (1, 2)
    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum
class Planet(Enum):
    EARTH = (50, 6)
    MARS = (1, 2)
    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius
        self.ratio = mass / radius
''',
        ),
    ],
]


def setup(ns):
    ns.e = ns.mod.Planet.EARTH


def check(ns):
    assert ns.e is ns.mod.Planet.EARTH and ns.e.mass == 50 and ns.mod.Planet.MARS.ratio == 0.5
    assert ns.mod.Planet((50, 6)) is ns.e
