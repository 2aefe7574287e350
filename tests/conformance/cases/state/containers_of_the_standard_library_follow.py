"""Counters, deques, ordered and default dicts follow the constants that they were made of."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
from collections import Counter, defaultdict, deque, OrderedDict, ChainMap
W = "aab"
C = Counter(W)
D = deque([1, 2], maxlen=3)
O = OrderedDict([("a", 1)])
DD = defaultdict(list, {"k": [1]})
CM = ChainMap({"a": 1}, {"b": 2})
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from collections import Counter, defaultdict, deque, OrderedDict, ChainMap
W = "abb"
C = Counter(W)
D = deque([1, 3], maxlen=3)
O = OrderedDict([("a", 1), ("b", 2)])
DD = defaultdict(list, {"k": [2]})
CM = ChainMap({"a": 10}, {"b": 2})
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (dict(m.C), list(m.D), dict(m.O), dict(m.DD), dict(m.CM)) == ({'a': 1, 'b': 2}, [1, 3], {'a': 1, 'b': 2}, {'k': [2]}, {'b': 2, 'a': 10}), (dict(m.C), list(m.D), dict(m.O), dict(m.DD), dict(m.CM))
