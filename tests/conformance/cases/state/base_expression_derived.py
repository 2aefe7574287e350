"""A class whose base is chosen by a constant follows the constant."""
WEIGHT = 1
TAGS = ['state', 'derived', 'classes', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
FAST = False
class Slow:
    def speed(self):
        return 1
class Quick:
    def speed(self):
        return 9
Engine = Quick if FAST else Slow
class Car(Engine):
    pass
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'FAST = False', 'FAST = True'),
    ],
]


def setup(ns):
    ns.car = ns.mod.Car()


def check(ns):
    assert ns.mod.Engine is ns.mod.Quick
    assert ns.mod.Car().speed() == 9
    assert ns.car.speed() == 9
