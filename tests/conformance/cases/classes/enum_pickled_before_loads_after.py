"""A member pickled before the edit is the same member after it; copies are the member itself."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from enum import Enum
class S(Enum):
    A = 1
    B = 2
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from enum import Enum
class S(Enum):
    A = 1
    B = 2
    C = 3
''',
        ),
    ],
]


def setup(ns):
    import pickle
    ns.data = pickle.dumps([ns.mod.S.A, ns.mod.S.B])
    ns.a = ns.mod.S.A


def check(ns):
    import copy, pickle
    assert pickle.loads(ns.data) == [ns.mod.S.A, ns.mod.S.B]
    assert pickle.loads(ns.data)[0] is ns.a is ns.mod.S.A
    assert copy.deepcopy(ns.a) is ns.a and pickle.loads(pickle.dumps(ns.mod.S.C)) is ns.mod.S.C
