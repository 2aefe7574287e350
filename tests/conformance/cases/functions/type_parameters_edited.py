"""Type parameters of a function and a type alias are edited."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.12"

FILES = {
    'mod.py': '''\
def first[T](items: list[T]) -> T:
    return items[0]
type Pair = tuple[int, int]
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def first[T: int, U](items: list[T], other: U = None) -> T:
    return items[-1]
type Pair = tuple[str, str]
'''),
    ],
]


def setup(ns):
    ns.f = ns.mod.first


def check(ns):
    assert ns.f([1, 2]) == 2
    assert [str(p) for p in ns.f.__type_params__] == ['T', 'U']
    assert ns.mod.Pair.__value__ == tuple[str, str]
