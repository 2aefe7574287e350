"""A hook that does more than collect runs once per class, also where it calls what does it for it."""

WEIGHT = 1
TAGS = ["classes", "registry", "state"]
PYTHON = "3.9"

FILES = {
    "mod.py": """\
import functools
LOG, SEEN, BY_NAME = [], {}, {}

class Counter:
    made = 0
    def __init__(self):
        self.number = 0
    def up(self):
        self.number += 1
COUNTER = Counter()

def note(found, entry):
    found.append(entry)

def put(found, key, value):
    found[key] = value

class Listed:
    def __init_subclass__(cls):
        cls.names = sorted(n for n in vars(cls) if not n.startswith("_"))
        note(LOG, cls.__name__)

class Stored:
    def __init_subclass__(cls):
        cls.names = sorted(n for n in cls.__dict__.keys() if not n.startswith("_"))
        put(SEEN, cls.__name__, SEEN.get(cls.__name__, 0) + 1)

class Counted:
    def __init_subclass__(cls):
        cls.names = sorted(n for n in dir(cls) if not n.startswith("_"))
        COUNTER.up()

class Owned:
    total = 0
    def __init_subclass__(cls):
        cls.names = sorted(n for n in dir(cls) if not n.startswith("_"))
        setattr(Owned, "total", Owned.total + 1)

class Indexed:
    def __init_subclass__(cls):
        cls.names = sorted(n for n in dir(cls) if not n.startswith("_"))
        functools.partial(BY_NAME.__setitem__, cls.__name__)(len(BY_NAME) + 1)

class Grown:
    parts = ["base"]
    def __init_subclass__(cls):
        cls.parts += [cls.__name__]

class A(Listed):
    one = 1
class B(Stored):
    one = 1
class C(Counted):
    one = 1
class D(Owned):
    one = 1
class E(Indexed):
    one = 1
class F(Grown):
    one = 1
""",
}

STEPS = [
    [
        ("sub", "mod.py", "class A(Listed):\n    one = 1", "class A(Listed):\n    two = 2"),
        ("sub", "mod.py", "class B(Stored):\n    one = 1", "class B(Stored):\n    two = 2"),
        ("sub", "mod.py", "class C(Counted):\n    one = 1", "class C(Counted):\n    two = 2"),
        ("sub", "mod.py", "class D(Owned):\n    one = 1", "class D(Owned):\n    two = 2"),
        ("sub", "mod.py", "class E(Indexed):\n    one = 1", "class E(Indexed):\n    two = 2"),
        ("sub", "mod.py", "class F(Grown):\n    one = 1", "class F(Grown):\n    two = 2"),
    ],
]


def check(ns):
    m = ns.mod
    assert m.LOG == ["A"], m.LOG
    assert m.SEEN == {"B": 1}, m.SEEN
    assert m.COUNTER.number == 1, m.COUNTER.number
    assert m.Owned.total == 1, m.Owned.total
    assert m.BY_NAME == {"E": 1}, m.BY_NAME
    assert m.Grown.parts == ["base", "F"], m.Grown.parts
    for kind in (m.A, m.B, m.C, m.D, m.E, m.F):
        assert kind.two == 2 and not hasattr(kind, "one")
