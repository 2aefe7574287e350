"""Results of functions of re follow the text that they were made of."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import re
T = "a1b2"
C = re.sub(r"\\d", "", T)
G = re.match(r"(\\w)", T).group(1)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import re
T = "c1d2"
C = re.sub(r"\\d", "", T)
G = re.match(r"(\\w)", T).group(1)
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.C, m.G) == ('cd', 'c'), (m.C, m.G)
