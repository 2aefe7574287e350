"""A descriptor with __set_name__ gets its name when it is added or renamed."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Field:
    def __set_name__(self, owner, name):
        self.name, self.owner = name, owner
    def __get__(self, obj, kind=None):
        if obj is None:
            return self
        return obj.__dict__.get(self.name, "unset " + self.name)
    def __set__(self, obj, value):
        obj.__dict__[self.name] = value
class A:
    x = Field()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Field:
    def __set_name__(self, owner, name):
        self.name, self.owner = name, owner
    def __get__(self, obj, kind=None):
        if obj is None:
            return self
        return obj.__dict__.get(self.name, "unset " + self.name)
    def __set__(self, obj, value):
        obj.__dict__[self.name] = value
class A:
    x = Field()
    y = Field()
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
class Field:
    def __set_name__(self, owner, name):
        self.name, self.owner = name, owner
    def __get__(self, obj, kind=None):
        if obj is None:
            return self
        return obj.__dict__.get(self.name, "unset " + self.name)
    def __set__(self, obj, value):
        obj.__dict__[self.name] = value
class A:
    x = Field()
    z = Field()
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    ns.a.x = 1


def check_1(ns):
    assert ns.a.y == "unset y" and ns.a.x == 1 and ns.mod.A.y.owner is ns.mod.A


def check(ns):
    assert ns.a.z == "unset z" and ns.a.x == 1 and not hasattr(ns.mod.A, "y")
    assert ns.mod.A.z.name == "z" and ns.mod.A.z.owner is ns.mod.A and ns.mod.A.x.name == "x"
