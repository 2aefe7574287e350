"""An instance made of a changed value gets its new attributes in place, unless the program has changed it."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Conf:
    def __init__(self, host): self.host = host
HOST = "a"
DEFAULT = Conf(HOST)
BY_NAME = {"k": Conf(HOST + "1")}
LIST = [Conf("x"), Conf("y")]
HELD = [DEFAULT, BY_NAME]
USED = Conf(HOST)
def get(): return DEFAULT.host, BY_NAME["k"].host, HELD[0] is DEFAULT, HELD[1] is BY_NAME, [one.host for one in LIST], USED.host
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class Conf:
    def __init__(self, host): self.host = host
HOST = "b"
DEFAULT = Conf(HOST)
BY_NAME = {"k": Conf(HOST + "1")}
LIST = [Conf("x"), Conf("z"), Conf("w")]
HELD = [DEFAULT, BY_NAME]
USED = Conf(HOST)
def get(): return DEFAULT.host, BY_NAME["k"].host, HELD[0] is DEFAULT, HELD[1] is BY_NAME, [one.host for one in LIST], USED.host
'''),
    ],
]


def setup(ns):
    ns.mod.USED.host = "set"


def check(ns):
    m = ns.mod
    assert (m.get()) == ('b', 'b1', True, True, ['x', 'z', 'w'], 'set'), (m.get())
