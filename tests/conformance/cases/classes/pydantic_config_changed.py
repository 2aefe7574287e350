"""pydantic: model_config changes to forbid extra and to validate assignments."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'mod.py': '''\
from pydantic import BaseModel, ConfigDict
class M(BaseModel):
    x: int = 1
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from pydantic import BaseModel, ConfigDict
class M(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)
    x: int = 1
''',
        ),
    ],
]


def setup(ns):
    ns.m, ns.M = ns.mod.M(x=2), ns.mod.M


def check(ns):
    for bad in (lambda: ns.M(y=1), lambda: setattr(ns.m, "x", "not a number")):
        try:
            bad()
        except ValueError:
            pass
        else:
            raise AssertionError("accepted")
    ns.m.x = "7"
    assert ns.m.x == 7
