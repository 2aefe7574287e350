"""singledispatch with annotated parameters: the annotation is edited."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
@functools.singledispatch
def show(x):
    return "any"
@show.register
def show_int(x: int):
    return "int"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
@functools.singledispatch
def show(x):
    return "any"
@show.register
def show_int(x: str):
    return "int"
''',
        ),
    ],
]


def setup(ns):
    ns.show = ns.mod.show


def check(ns):
    assert ns.show("a") == "int" and ns.show(1) == "any"
