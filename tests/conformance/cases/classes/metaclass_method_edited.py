"""An edited method of a metaclass is in force on the classes made by it."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Meta(type):
    def __call__(cls, *a):
        obj = super().__call__(*a)
        obj.made = "old"
        return obj
    def label(cls):
        return "old " + cls.__name__
class A(metaclass=Meta):
    pass
class B(A):
    pass
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Meta(type):
    def __call__(cls, *a):
        obj = super().__call__(*a)
        obj.made = "new"
        return obj
    def label(cls):
        return "new " + cls.__name__
    def extra(cls):
        return 1
class A(metaclass=Meta):
    pass
class B(A):
    pass
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.B = ns.mod.A, ns.mod.B


def check(ns):
    assert ns.A().made == "new" and ns.B().made == "new"
    assert ns.A.label() == "new A" and ns.B.extra() == 1
