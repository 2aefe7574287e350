"""pydantic: a field's type changes; new validation holds."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'mod.py': '''\
from pydantic import BaseModel
class M(BaseModel):
    x: int = 1
    def get(self):
        return self.x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from pydantic import BaseModel, Field
from typing import Optional
class M(BaseModel):
    x: Optional[float] = Field(default=None, ge=0)
    def get(self):
        return ("x", self.x)
''',
        ),
    ],
]


def setup(ns):
    ns.m, ns.M = ns.mod.M(x=2), ns.mod.M


def check(ns):
    assert ns.m.get() == ("x", 2) and ns.M(x=1.5).x == 1.5 and ns.M().x is None
    try:
        ns.M(x=-1)
    except ValueError:
        pass
    else:
        raise AssertionError("accepted")
