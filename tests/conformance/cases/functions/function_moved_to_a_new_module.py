"""A function that moves to a new module, from where the old one imports it, keeps its identity and its holders."""
WEIGHT = 2
TAGS = ['functions']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
SCALE = 10
def scale(x):
    return x * SCALE
TABLE = {"scale": scale, "same": [scale]}
scale.calls = 3
def get():
    return scale(1), TABLE["scale"](1), TABLE["scale"] is scale is TABLE["same"][0], scale.calls, scale.__module__
''',
}

STEPS = [
    [
        ('write', 'maths.py', '''\
FACTOR = 20
def scale(x):
    return x * FACTOR + 1
'''),
        ('write', 'mod.py', '''\
from maths import scale
TABLE = {"scale": scale, "same": [scale]}
def get():
    return scale(1), TABLE["scale"](1), TABLE["scale"] is scale is TABLE["same"][0], scale.calls, scale.__module__
'''),
    ],
]


def check(ns):
    import sys
    assert ns.mod.get() == (21, 21, True, 3, "maths"), ns.mod.get()
    assert sys.modules["maths"].scale is ns.mod.scale
