"""The first lines of classes that moved, decorated and nested ones too, are those of the new source."""
WEIGHT = 2
TAGS = ['lines']
PYTHON = '3.13'

FILES = {
    'mod.py': '''\
import dataclasses
@dataclasses.dataclass
class A:
    x: int = 1
class B:
    class C:
        pass
    def m(self): return 1
class D(B): pass
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import dataclasses


@dataclasses.dataclass
class A:
    x: int = 1

class B:

    class C:
        pass
    def m(self): return 1

class D(B): pass
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert ([k.__firstlineno__ for k in (m.A, m.B, m.B.C, m.D)]) == [4, 8, 10, 14], ([k.__firstlineno__ for k in (m.A, m.B, m.B.C, m.D)])
    assert (m.B().m()) == 1, (m.B().m())
