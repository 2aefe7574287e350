"""What a removed definition's decorator had registered is withdrawn."""
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
        ('sub', 'mod.py', '@route("/a")\ndef a():\n    return "a"\n', ''),
    ],
]


def check(ns):
    got = [(k, v()) for k, v in ns.reg.ROUTES.items()]
    assert got == [('/b', 'b')], got
