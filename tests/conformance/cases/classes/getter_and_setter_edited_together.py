"""The getter and the setter of a property get annotations and docstrings in one save."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class P:
    def __init__(self):
        self._m = 1
    @property
    def may(self):
        return self._m
    @may.setter
    def may(self, value):
        self._m = value
    def __add__(self, other):
        return And([self, other])
class And(P):
    def __init__(self, exprs):
        super().__init__()
        self.exprs = exprs
        self._m = all(e.may for e in self.exprs)
class common:
    a = P()
    b = P() + P()
one = P()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class P:
    def __init__(self):
        self._m = 2
    @property
    def may(self) -> int:
        """Getter."""
        return self._m
    @may.setter
    def may(self, value) -> None:
        """Setter."""
        self._m = value
    def __add__(self, other) -> "P":
        return And([self, other])
class And(P):
    def __init__(self, exprs):
        super().__init__()
        self.exprs = exprs
        self._m = all(e.may for e in self.exprs)
class common:
    a = P()
    b = P() + P()
    c = P() + b
one = P()
two = P() + one
V = one.may
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.common.c._m, m.two._m, m.P().may) == (True, True, 2), (m.common.c._m, m.two._m, m.P().may)
    assert (m.P.may.fget.__doc__, m.P.may.fset.__doc__, m.P.may.fset.__annotations__) == ('Getter.', 'Setter.', {'return': None}), (m.P.may.fget.__doc__, m.P.may.fset.__doc__, m.P.may.fset.__annotations__)
