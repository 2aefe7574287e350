"""A function that gains a decorator stays the object that everybody holds."""
WEIGHT = 2
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools


def loud(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args).upper()
    return wrapper


def greet(name):
    return "hi " + name


class Greeter:
    def greet(self, name):
        return "hi " + name
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'def greet(name)', '@loud\ndef greet(name)'),
        ('sub', 'mod.py', '    def greet(self, name)', '    @loud\n    def greet(self, name)'),
    ],
]


def setup(ns):
    ns.held = [ns.mod.greet]
    ns.known = {id(ns.mod.greet), id(ns.mod.Greeter.greet)}
    ns.bound = ns.mod.Greeter().greet


def check(ns):
    assert ns.held[0]("ann") == "HI ANN" and ns.mod.greet("ann") == "HI ANN"
    assert ns.bound("bob") == "HI BOB"
    assert id(ns.mod.greet) in ns.known and id(ns.mod.Greeter.greet) in ns.known
