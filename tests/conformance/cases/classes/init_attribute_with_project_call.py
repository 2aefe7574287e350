"""A new attribute made by a pure project function or a class attribute reaches live instances."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def area(w, h):
    return w * h
class R:
    UNIT = 10
    def __init__(self, w, h):
        self.w, self.h = w, h
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def area(w, h):
    return w * h
class R:
    UNIT = 10
    def __init__(self, w, h):
        self.w, self.h = w, h
        self.area = area(self.w, self.h)
        self.unit = self.UNIT
        self.scaled = R.UNIT * self.area
''',
        ),
    ],
]


def setup(ns):
    ns.r = ns.mod.R(2, 3)


def check(ns):
    assert ns.r.area == 6 and ns.r.unit == 10 and ns.r.scaled == 60
