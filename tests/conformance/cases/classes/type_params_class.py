"""A class with type parameters: methods edited and added, a parameter added."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.12'

FILES = {
    'mod.py': '''\
class Box[T]:
    def __init__(self, v: T):
        self.v = v
    def get(self) -> T:
        return self.v
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Box[T]:
    def __init__(self, v: T):
        self.v = v
    def get(self) -> T:
        return [self.v]
    def both(self) -> tuple[T, T]:
        return (self.v, self.v)
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class Box[T, U]:
    def __init__(self, v: T):
        self.v = v
    def get(self) -> T:
        return {self.v}
    def both(self) -> tuple[T, U]:
        return (self.v, self.v)
''',
        ),
    ],
]


def setup(ns):
    ns.b = ns.mod.Box(3)


def check_1(ns):
    assert ns.b.get() == [3] and ns.b.both() == (3, 3) and isinstance(ns.b, ns.mod.Box)


def check(ns):
    assert ns.b.get() == {3} and [p.__name__ for p in ns.mod.Box.__type_params__] == ["T", "U"]
    assert ns.mod.Box[int, str](1).both() == (1, 1) and isinstance(ns.b, ns.mod.Box)
    assert len(ns.mod.Box.__parameters__) == 2
