"""A str enum whose member gets another value: calls, tables and comparisons see it."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class S(str, Enum):
    A = "a"
    B = "b"
    def up(self): return self.value.upper()
LABELS = {S.A: "first"}
def use(): return S.A.up(), LABELS[S.A], S("b").name, S.A == "a"
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from enum import Enum
class S(str, Enum):
    A = "aa"
    B = "b"
    C = "c"
    def up(self): return self.value.upper() + "!"
LABELS = {S.A: "first", S.C: "third"}
def use(): return S.A.up(), LABELS[S.A], S("b").name, S.A == "aa"
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.use()) == ('AA!', 'first', 'B', True), (m.use())
