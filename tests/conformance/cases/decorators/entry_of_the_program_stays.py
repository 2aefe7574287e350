"""What the program put into another table by itself stays when the definition registers anew."""
WEIGHT = 2
TAGS = ['decorators', 'registry']
PYTHON = '3.8'

FILES = {
    'reg.py': '''\
ROUTES = {}
def route(path):
    def deco(fn):
        ROUTES[path] = fn
        return fn
    return deco
OTHER={}
''',
    'mod.py': '''\
from reg import route
@route("/a")
def a():
    return "a"
@route("/b")
def b():
    return "b"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '"/a"', '"/c"'),
    ],
]


def setup(ns):
    ns.reg.OTHER['k'] = ns.mod.a


def check(ns):
    got = ({k: v() for k, v in ns.reg.ROUTES.items()}, {k: v() for k, v in ns.reg.OTHER.items()}, ns.reg.OTHER['k'] is ns.mod.a)
    assert got == ({'/c': 'a', '/b': 'b'}, {'k': 'a'}, True), got
