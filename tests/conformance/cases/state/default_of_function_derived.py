"""Defaults that read a changed constant follow it, also in methods and keyword-only ones."""
WEIGHT = 2
TAGS = ['state', 'derived', 'functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
PORT = 80
def connect(host, port=PORT, *, retries=PORT // 10):
    return port, retries
class Client:
    def open(self, port=PORT + 1):
        return port
    @staticmethod
    def s(port=PORT):
        return port
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'PORT = 80', 'PORT = 90'),
    ],
]


def setup(ns):
    ns.f = ns.mod.connect
    ns.c = ns.mod.Client()


def check(ns):
    assert ns.f('h') == (90, 9), ns.f('h')
    assert ns.c.open() == 91, ns.c.open()
    assert ns.c.s() == 90
