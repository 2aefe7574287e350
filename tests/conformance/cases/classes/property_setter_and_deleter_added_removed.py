"""A setter and a deleter come and go."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def __init__(self):
        self._v = 1
    @property
    def v(self):
        return self._v
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __init__(self):
        self._v = 1
    @property
    def v(self):
        """doc"""
        return self._v
    @v.setter
    def v(self, value):
        self._v = value * 2
    @v.deleter
    def v(self):
        self._v = None
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    def __init__(self):
        self._v = 1
    @property
    def v(self):
        return ("r", self._v)
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()


def check_1(ns):
    ns.a.v = 4
    assert ns.a.v == 8 and ns.mod.A.v.__doc__ == "doc"
    del ns.a.v
    assert ns.a.v is None


def check(ns):
    assert ns.a.v == ("r", None)
    for op in (lambda: setattr(ns.a, "v", 1), lambda: delattr(ns.a, "v")):
        try:
            op()
        except AttributeError:
            pass
        else:
            raise AssertionError("still there")
