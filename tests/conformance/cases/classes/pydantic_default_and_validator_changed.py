"""pydantic: a default and a validator change."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'mod.py': '''\
from pydantic import BaseModel, field_validator
class Item(BaseModel):
    price: int = 1
    @field_validator("price")
    @classmethod
    def check(cls, v):
        if v < 0:
            raise ValueError("negative")
        return v
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from pydantic import BaseModel, field_validator
class Item(BaseModel):
    price: int = 5
    @field_validator("price")
    @classmethod
    def check(cls, v):
        if v > 100:
            raise ValueError("large")
        return v * 2
''',
        ),
    ],
]


def setup(ns):
    ns.i, ns.Item = ns.mod.Item(price=7), ns.mod.Item


def check(ns):
    assert ns.Item().price == 5 and ns.Item(price=-4).price == -8 and ns.i.price == 7
    try:
        ns.mod.Item(price=101)
    except ValueError as e:
        assert "large" in str(e)
    else:
        raise AssertionError("not validated")
