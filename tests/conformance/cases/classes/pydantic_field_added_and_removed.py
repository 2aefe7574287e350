"""pydantic: fields added and removed; live instances dump, compare and copy."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['pydantic']

FILES = {
    'mod.py': '''\
from pydantic import BaseModel
class User(BaseModel):
    name: str
    age: int = 3
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
from pydantic import BaseModel
class User(BaseModel):
    name: str
    email: str = "none"
    tags: list = []
    def shout(self):
        return self.name.upper()
''',
        ),
    ],
]


def setup(ns):
    ns.u, ns.User = ns.mod.User(name="bo"), ns.mod.User


def check(ns):
    u = ns.u
    assert u.shout() == "BO" and ns.User is ns.mod.User and isinstance(u, ns.mod.User)
    assert ns.mod.User(name="x").model_dump() == {"name": "x", "email": "none", "tags": []}
    assert u.email == "none" and u.tags == []
    assert u.model_dump()["email"] == "none" and "age" not in u.model_dump()
    assert u.model_copy(update={"name": "z"}).name == "z"
