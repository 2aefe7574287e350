"""pydantic: only the body of a validator and of a computed field change."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'mod.py': '''\
from pydantic import BaseModel, field_validator, computed_field
class Item(BaseModel):
    price: int = 1
    @field_validator("price")
    @classmethod
    def check(cls, v):
        return v + 1
    @computed_field
    @property
    def double(self) -> int:
        return self.price * 2
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from pydantic import BaseModel, field_validator, computed_field
class Item(BaseModel):
    price: int = 1
    @field_validator("price")
    @classmethod
    def check(cls, v):
        return v + 100
    @computed_field
    @property
    def double(self) -> int:
        return self.price * 20
''',
        ),
    ],
]


def setup(ns):
    ns.i, ns.Item = ns.mod.Item(price=7), ns.mod.Item


def check(ns):
    assert ns.Item(price=1).price == 101 and ns.i.double == 160 and ns.i.model_dump()["double"] == 160
