"""__hotswap_migrate__ fills in what __init__ cannot be asked for."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Conn:
    def __init__(self, host):
        self.host = host
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Conn:
    def __init__(self, host, port):
        self.host = host
        self.port = port
        self.tries = 0
    def __hotswap_migrate__(self, added, removed, old_values):
        if "port" in added:
            self.port = 80
''',
        ),
    ],
]


def setup(ns):
    ns.c = ns.mod.Conn("h")


def check(ns):
    assert ns.c.port == 80 and ns.c.tries == 0 and ns.c.host == "h"
