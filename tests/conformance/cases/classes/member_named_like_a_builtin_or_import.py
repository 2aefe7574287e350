"""Values of a class body read the builtin or the import where the body binds the name only further down."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import tokenize, string
class H:
    _strings = {tokenize.STRING}
    _all = list(range(2))
    _id = id
    LETTERS = string.digits
    def list(self): return 1
    @staticmethod
    def tokenize(x): return x
    def id(self): return 2
    def string(self): return "s"
    COUNT = 1
h = H()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import tokenize, string
class H:
    _strings = {tokenize.STRING, tokenize.NAME}
    _all = list(range(3))
    _id = (id, 1)
    LETTERS = string.digits + string.octdigits
    def list(self): return 1
    @staticmethod
    def tokenize(x): return x
    def id(self): return 2
    def string(self): return "s"
    COUNT = 2
h = H()
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (len(m.H._strings), m.H._all, m.H._id[1], m.H.LETTERS, m.H.COUNT, m.h.list(), m.h.id(), m.h.string()) == (2, [0, 1, 2], 1, '012345678901234567', 2, 1, 2, 's'), (len(m.H._strings), m.H._all, m.H._id[1], m.H.LETTERS, m.H.COUNT, m.h.list(), m.h.id(), m.h.string())
