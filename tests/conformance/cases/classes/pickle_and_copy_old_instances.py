"""Old instances pickle, unpickle and copy as instances of the class after the edit."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def __init__(self):
        self.x = 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    pass
class A(Base):
    def __init__(self):
        self.x = 1
        self.y = 2
    def total(self):
        return self.x + self.y
''',
        ),
    ],
]


def setup(ns):
    import pickle
    ns.a, ns.data = ns.mod.A(), pickle.dumps(ns.mod.A())


def check(ns):
    import copy, pickle
    b = pickle.loads(pickle.dumps(ns.a))
    assert type(b) is ns.mod.A and b.total() == 3 and copy.deepcopy(ns.a).total() == 3
    assert type(pickle.loads(ns.data)) is ns.mod.A and copy.copy(ns.a).x == 1
