"""pydantic: a field added to a base model is in the subclass in another module."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'base.py': '''\
from pydantic import BaseModel
class Base(BaseModel):
    id: int = 1
''',
    'sub.py': '''\
from base import Base
class Sub(Base):
    name: str = "n"
''',
}

STEPS = [
    [
        (
            'write',
            'base.py',
            '''\
from pydantic import BaseModel
class Base(BaseModel):
    id: int = 1
    kind: str = "k"
''',
        ),
    ],
]


def setup(ns):
    ns.s = ns.sub.Sub()


def check(ns):
    assert ns.sub.Sub(kind="z").model_dump() == {"id": 1, "kind": "z", "name": "n"}
    assert ns.s.kind == "k" and isinstance(ns.s, ns.base.Base)
