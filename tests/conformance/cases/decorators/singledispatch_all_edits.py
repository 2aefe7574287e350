"""singledispatch: bodies changed, an implementation added, one removed, one's type changed."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
@functools.singledispatch
def show(x):
    return "any"
@show.register(int)
def _(x):
    return "int"
@show.register(str)
def _(x):
    return "str"
@show.register(list)
def show_list(x):
    return "list"
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
    return "ANY"
@show.register(int)
def _(x):
    return "INT"
@show.register(str)
def _(x):
    return "str"
@show.register(list)
def show_list(x):
    return "list"
@show.register(dict)
def _(x):
    return "dict"
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
import functools
@functools.singledispatch
def show(x):
    return "ANY"
@show.register(float)
def _(x):
    return "INT"
@show.register(list)
def show_list(x):
    return "list"
@show.register(dict)
def _(x):
    return "dict"
''',
        ),
    ],
]


def setup(ns):
    ns.show = ns.mod.show
    ns.show(1), ns.show("a"), ns.show({})


def check_1(ns):
    assert [ns.show(v) for v in (1.5, 1, "a", [], {})] == ["ANY", "INT", "str", "list", "dict"]


def check(ns):
    assert [ns.show(v) for v in (1.5, 1, "a", [], {})] == ["INT", "ANY", "ANY", "list", "dict"]
    assert ns.mod.show is ns.show
