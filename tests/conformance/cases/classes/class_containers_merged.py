"""Class-level containers that the program added to are merged with the edit."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Reg:
    handlers = {"a": 1, "b": 2}
    order = ["a", "b"]
    names = {"a", "b"}
    count = 0
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Reg:
    handlers = {"a": 10, "b": 2, "c": 3}
    order = ["a", "b", "c"]
    names = {"a", "b", "c"}
    count = 0
''',
        ),
    ],
]


def setup(ns):
    R = ns.mod.Reg
    R.handlers["live"] = 9
    R.order.append("live")
    R.names.add("live")
    R.count = 7
    ns.held = R.handlers


def check(ns):
    R = ns.mod.Reg
    assert R.handlers == {"a": 10, "b": 2, "c": 3, "live": 9} and ns.held is R.handlers
    assert sorted(R.order) == ["a", "b", "c", "live"] and R.names == {"a", "b", "c", "live"} and R.count == 7
