"""Two lambdas on one line are told apart though they call modules that are imported in unusual places."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import math; import operator

try:
    import string
    texts = (lambda text: string.capwords(text) + "!", lambda text: string.capwords(text) + "?")
except ImportError:
    texts = None

numbers = (lambda x: math.floor(x) * 2, lambda x: math.floor(x) // 2)
pairs = (lambda x: operator.neg(x), lambda x: operator.pos(x) + 1)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '// 2', '// 3'),
        ('sub', 'mod.py', '+ 1', '+ 2'),
        ('sub', 'mod.py', '"?"', '"."'),
    ],
]


def setup(ns):
    ns.numbers = ns.mod.numbers
    ns.pairs = ns.mod.pairs
    ns.texts = ns.mod.texts


def check(ns):
    mod = ns.mod
    for numbers, pairs, texts in ((ns.numbers, ns.pairs, ns.texts), (mod.numbers, mod.pairs, mod.texts)):
        assert [number(6.5) for number in numbers] == [12, 2]
        assert [pair(1) for pair in pairs] == [-1, 3]
        assert [text("a b") for text in texts] == ["A B!", "A B."]
