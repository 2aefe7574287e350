"""An  of a constant follows when the constant is edited."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from operator import itemgetter, attrgetter
KEY = "a"
get = itemgetter(KEY)
def f(): return sorted([{"a": 2, "b": 1}, {"a": 1, "b": 2}], key=get)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from operator import itemgetter, attrgetter
KEY = "b"
get = itemgetter(KEY)
def f(): return sorted([{"a": 2, "b": 1}, {"a": 1, "b": 2}], key=get)
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.f()) == [{'a': 2, 'b': 1}, {'a': 1, 'b': 2}], (m.f())
