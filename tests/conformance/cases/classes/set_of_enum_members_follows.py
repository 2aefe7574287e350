"""Sets and frozensets of the members of an enum follow a new member, as values, defaults and in tuples."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import enum
class P(enum.Enum):
    A = "a"
    B = "b"
class Adder:
    _all: set = set(P)
    def __init__(self, ps=_all):
        self.ps = {p for p in self._all if p in ps}
PAIR = (frozenset(P), 3)
FIRST = frozenset({P.A})
def f(x=frozenset(P)): return x
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import enum
class P(enum.Enum):
    A = "a"
    B = "b"
    C = "c"
class Adder:
    _all: set = set(P)
    def __init__(self, ps=_all):
        self.ps = {p for p in self._all if p in ps}
PAIR = (frozenset(P), 3)
FIRST = frozenset({P.A, P.C})
def f(x=frozenset(P)): return x
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (sorted(p.name for p in m.Adder._all)) == ['A', 'B', 'C'], (sorted(p.name for p in m.Adder._all))
    assert (sorted(p.name for p in m.Adder().ps)) == ['A', 'B', 'C'], (sorted(p.name for p in m.Adder().ps))
    assert (sorted(p.name for p in m.PAIR[0])) == ['A', 'B', 'C'], (sorted(p.name for p in m.PAIR[0]))
    assert (sorted(p.name for p in m.FIRST)) == ['A', 'C'], (sorted(p.name for p in m.FIRST))
    assert (sorted(p.name for p in m.f())) == ['A', 'B', 'C'], (sorted(p.name for p in m.f()))
    assert (m.P.C in m.PAIR[0] and m.P.A in m.FIRST) == True, (m.P.C in m.PAIR[0] and m.P.A in m.FIRST)
