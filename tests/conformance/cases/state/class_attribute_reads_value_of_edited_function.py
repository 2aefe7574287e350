"""A class attribute that copies a value which an edited function makes has the new value, also with a new class in it."""
WEIGHT = 2
TAGS = ['state', 'derived']
PYTHON = '3.8'

FILES = {
    'pipe.py': '''\
class Step:
    def __init__(self, kind):
        self.kind = kind

def steps():
    return [Step("read"), Step("write")]

DEFAULTS = steps()

class Config:
    active = False
    chosen = DEFAULTS[:]
    count = len(DEFAULTS)
''',
}

STEPS = [
    [
        ('write', 'pipe.py', '''\
class Step:
    def __init__(self, kind):
        self.kind = kind

class Check(Step):
    pass

def steps():
    return [Step("read"), Check("check"), Step("write")]

DEFAULTS = steps()

class Config:
    active = False
    chosen = DEFAULTS[:]
    count = len(DEFAULTS)
'''),
    ],
]


def setup(ns):
    ns.config = ns.pipe.Config


def check(ns):
    assert ns.pipe.Config is ns.config
    assert [each.kind for each in ns.pipe.DEFAULTS] == ["read", "check", "write"]
    assert [each.kind for each in ns.config.chosen] == ["read", "check", "write"]
    assert type(ns.config.chosen[1]) is ns.pipe.Check
    assert ns.config.chosen is not ns.pipe.DEFAULTS and ns.config.count == 3
