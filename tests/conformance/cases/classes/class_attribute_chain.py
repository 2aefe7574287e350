"""Class attributes computed from others and from module constants follow an edit of the first."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
RATE = 2
class C:
    BASE = 10
    DOUBLE = BASE * RATE
    TABLE = {"d": DOUBLE, "b": BASE}
    NAMES = [str(BASE), str(DOUBLE)]
    def get(self):
        return self.DOUBLE
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
RATE = 2
class C:
    BASE = 11
    DOUBLE = BASE * RATE
    TABLE = {"d": DOUBLE, "b": BASE}
    NAMES = [str(BASE), str(DOUBLE)]
    def get(self):
        return self.DOUBLE
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
RATE = 3
class C:
    BASE = 11
    DOUBLE = BASE * RATE
    TABLE = {"d": DOUBLE, "b": BASE}
    NAMES = [str(BASE), str(DOUBLE)]
    def get(self):
        return self.DOUBLE
''',
        ),
    ],
]


def setup(ns):
    ns.c = ns.mod.C()


def check_1(ns):
    assert ns.c.get() == 22 and ns.c.TABLE == {"d": 22, "b": 11} and ns.c.NAMES == ["11", "22"]


def check(ns):
    assert ns.c.get() == 33 and ns.c.TABLE == {"d": 33, "b": 11} and ns.c.NAMES == ["11", "33"]
