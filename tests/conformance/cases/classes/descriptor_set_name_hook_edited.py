"""An edited __set_name__ and __get__ of a descriptor class hold for the attributes that use it."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Field:
    def __set_name__(self, owner, name):
        self.key = "_" + name
    def __get__(self, obj, kind=None):
        return getattr(obj, self.key, None)
    def __set__(self, obj, value):
        setattr(obj, self.key, value)
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
        self.key = "_" + name
    def __get__(self, obj, kind=None):
        return ("got", getattr(obj, self.key, None))
    def __set__(self, obj, value):
        setattr(obj, self.key, value * 2)
class A:
    x = Field()
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.A()
    ns.a.x = 1


def check(ns):
    assert ns.a.x == ("got", 1)
    ns.a.x = 4
    assert ns.a.x == ("got", 8)
