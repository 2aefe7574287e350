"""pydantic: a model nested in another gets a field; validation of the outer one knows it."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'mod.py': '''\
from pydantic import BaseModel
class Inner(BaseModel):
    a: int = 1
class Outer(BaseModel):
    inner: Inner = Inner()
    items: list[Inner] = []
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from pydantic import BaseModel
class Inner(BaseModel):
    a: int = 1
    b: str = "b"
class Outer(BaseModel):
    inner: Inner = Inner()
    items: list[Inner] = []
''',
        ),
    ],
]


def setup(ns):
    ns.o = ns.mod.Outer(items=[{"a": 2}])


def check(ns):
    o = ns.mod.Outer(inner={"a": 5, "b": "x"}, items=[{"b": "q"}])
    assert o.inner.b == "x" and o.items[0].b == "q" and type(o.inner) is ns.mod.Inner
    assert o.model_dump() == {"inner": {"a": 5, "b": "x"}, "items": [{"a": 1, "b": "q"}]}
    assert ns.o.items[0].a == 2 and isinstance(ns.o.items[0], ns.mod.Inner)
    assert ns.mod.Outer(inner=ns.mod.Inner(b="z")).inner.b == "z"
