"""A default that reads an imported constant follows it, in the importing module."""
WEIGHT = 1
TAGS = ['state', 'derived', 'functions']
PYTHON = "3.8"

FILES = {
    'conf.py': '''\
PORT = 80
''',
    'mod.py': '''\
import conf
from conf import PORT
def a(port=PORT):
    return port
def b(port=conf.PORT):
    return port
''',
}

STEPS = [
    [
        ('sub', 'conf.py', '80', '81'),
    ],
]


def check(ns):
    assert ns.mod.a() == 81
    assert ns.mod.b() == 81
