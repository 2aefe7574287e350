"""dict() becomes {} in the source: what the program put into the containers stays."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from typing import Dict
MAP: Dict[str, type] = dict()
LIST = list()
S = set()
N = {}
class Base:
    table = dict()
    def __init_subclass__(cls, **kw):
        MAP[cls.__name__] = cls
        LIST.append(cls)
class A(Base): pass
class B(Base): pass
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from typing import Dict
MAP: Dict[str, type] = {}
LIST = []
S = set([])
N = dict()
class Base:
    table = {}
    def __init_subclass__(cls, **kw):
        MAP[cls.__name__] = cls
        LIST.append(cls)
class A(Base): pass
class B(Base): pass
'''),
    ],
]


def setup(ns):
    ns.mod.S.add(1); ns.mod.N["x"] = 1; ns.mod.Base.table["t"] = 2


def check(ns):
    m = ns.mod
    assert (sorted(m.MAP), len(m.LIST), m.A in m.LIST) == (['A', 'B'], 2, True), (sorted(m.MAP), len(m.LIST), m.A in m.LIST)
    assert (m.S, m.N, m.Base.table) == ({1}, {'x': 1}, {'t': 2}), (m.S, m.N, m.Base.table)
