"""Of two registering decorators on one function only the removed one's entry goes."""
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
''',
    'mod.py': '''\
from reg import route
@route("/a")
@route("/a2")
def a():
    return "a"
@route("/b")
def b():
    return "b"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@route("/a2")\n', ''),
    ],
]


def check(ns):
    got = {k: v() for k, v in ns.reg.ROUTES.items()}
    assert got == {'/a': 'a', '/b': 'b'}, got
