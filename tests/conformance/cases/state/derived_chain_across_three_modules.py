"""A constant derived through two modules follows the first one."""
WEIGHT = 2
TAGS = ['state', 'derived']
PYTHON = "3.8"

FILES = {
    'base.py': '''\
WIDTH = 2
''',
    'mid.py': '''\
from base import WIDTH
AREA = WIDTH * WIDTH
''',
    'top.py': '''\
import mid
VOLUME = mid.AREA * 3
def get():
    return VOLUME
''',
}

STEPS = [
    [
        ('sub', 'base.py', '= 2', '= 5'),
    ],
]


def check(ns):
    assert ns.top.get() == 75, ns.top.get()
    assert ns.mid.AREA == 25
