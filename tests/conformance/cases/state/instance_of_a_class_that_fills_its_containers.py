"""Instances whose class fills its own lists and dicts, or would call something else for other values, are made again."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'style.py': '''\
import functools
class Style:
    def __init__(self, name):
        self.name = name
    @classmethod
    @functools.lru_cache(100)
    def parse(cls, text):
        return cls(text)
    def __repr__(self): return f"S({self.name})"
class Theme:
    def __init__(self, styles=None, inherit=True):
        self.styles = STYLES.copy() if inherit else {}
        if styles is not None:
            self.styles.update(
                {
                    name: style
                    if isinstance(style, Style)
                    else Style.parse(style)
                    for name, style in styles.items()
                }
            )
class Index:
    def __init__(self, words):
        self.words = []
        self.by_length = {}
        self.seen = set()
        for word in words:
            if not word:
                print("empty")
                continue
            self.words.append(word)
            self.by_length[len(word)] = word
            self.seen.add(word[0])
STYLES = {"a": Style("a")}
''',
    'mod.py': '''\
from style import Theme, STYLES, Style, Index
NEW = {"b": Style("bb")}
DEFAULT = Theme(NEW)
WORDS = ["x", "yy"]
INDEX = Index(WORDS)
HELD = INDEX
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from style import Theme, STYLES, Style, Index
NEW = {"b": Style("bb"), "c": Style("cc")}
DEFAULT = Theme(NEW)
WORDS = ["x", "yy", "zzz"]
INDEX = Index(WORDS)
HELD = INDEX
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert ({k: v.name for k, v in m.DEFAULT.styles.items()}) == {'a': 'a', 'b': 'bb', 'c': 'cc'}, ({k: v.name for k, v in m.DEFAULT.styles.items()})
    assert (m.INDEX.words, m.INDEX.by_length, sorted(m.INDEX.seen)) == (['x', 'yy', 'zzz'], {1: 'x', 2: 'yy', 3: 'zzz'}, ['x', 'y', 'z']), (m.INDEX.words, m.INDEX.by_length, sorted(m.INDEX.seen))
    assert (m.HELD is m.INDEX) == True, (m.HELD is m.INDEX)
