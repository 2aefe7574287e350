"""A function that loses its registering decorator is registered no more."""
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
def a():
    return "a"
@route("/b")
def b():
    return "b"
''',
}

STEPS = [
    [
        ('sub', 'mod.py', '@route("/a")\n', ''),
    ],
]


def check(ns):
    got = [(k, v()) for k, v in ns.reg.ROUTES.items()]
    assert got == [('/b', 'b')], got
