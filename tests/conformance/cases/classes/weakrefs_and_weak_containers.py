"""Weak references to instances and WeakKeyDictionary entries survive edits of the class."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import weakref
class A:
    def m(self):
        return 1
NOTES = weakref.WeakKeyDictionary()
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import weakref
class Base:
    def b(self):
        return "b"
class A(Base):
    def m(self):
        return 2
NOTES = weakref.WeakKeyDictionary()
''',
        ),
    ],
]


def setup(ns):
    import weakref
    ns.a = ns.mod.A()
    ns.ref = weakref.ref(ns.a)
    ns.mod.NOTES[ns.a] = "note"


def check(ns):
    assert ns.ref() is ns.a and ns.ref().m() == 2 and ns.mod.NOTES[ns.a] == "note" and ns.a.b() == "b"
