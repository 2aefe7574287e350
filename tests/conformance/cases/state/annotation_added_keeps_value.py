"""An annotation added to an assignment does not evaluate its value again."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
CACHE = {}
CALLS = []


def load():
    CALLS.append(1)
    return object()


MODEL = load()


class Pool:
    free = []
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'CACHE = {}', 'CACHE: dict = {}'),
        ('sub', 'mod.py', 'MODEL = load()', 'MODEL: object = load()'),
        ('sub', 'mod.py', '    free = []', '    free: list = []'),
    ],
]


def setup(ns):
    ns.mod.CACHE["a"] = 1
    ns.mod.Pool.free.append(2)
    ns.model = ns.mod.MODEL


def check(ns):
    assert ns.mod.CACHE == {"a": 1}
    assert ns.mod.Pool.free == [2]
    assert ns.mod.MODEL is ns.model and len(ns.mod.CALLS) == 1
    import typing
    assert typing.get_type_hints(ns.mod)["CACHE"] is dict
    assert typing.get_type_hints(ns.mod.Pool)["free"] is list
