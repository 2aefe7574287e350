"""attrs @frozen: a method is edited and a @x.validator body is edited."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['attrs']

FILES = {
    'mod.py': '''\
from attrs import frozen, field
@frozen
class P:
    x: int = field()
    @x.validator
    def _check(self, attribute, value):
        if value < 0:
            raise ValueError("negative")
    def label(self):
        return "old"
POOL = [P(1)]
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from attrs import frozen, field
@frozen
class P:
    x: int = field()
    @x.validator
    def _check(self, attribute, value):
        if value > 100:
            raise ValueError("large")
    def label(self):
        return "new"
POOL = [P(1)]
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(2)


def check(ns):
    assert ns.p.label() == "new" and ns.mod.P(-5).x == -5 and ns.mod.POOL[0].label() == "new"
    try:
        ns.mod.P(101)
    except ValueError as e:
        assert str(e) == "large"
    else:
        raise AssertionError("not validated")
