"""An edited __init_subclass__ is applied to the subclasses that exist, and the registry is not doubled."""

WEIGHT = 1
TAGS = ["classes", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
REGISTRY = {}
class Base:
    def __init_subclass__(cls):
        cls.key = cls.__name__.lower()
        REGISTRY[cls.__name__] = cls
class A(Base):
    pass
class B(Base):
    pass
""",
}

STEPS = [
    [
        (
            "write",
            "mod.py",
            """\
REGISTRY = {}
class Base:
    def __init_subclass__(cls):
        cls.key = cls.__name__.upper()
        REGISTRY[cls.__name__] = cls
class A(Base):
    pass
class B(Base):
    pass
""",
        ),
    ],
]


def setup(ns):
    ns.reg, ns.a = ns.mod.REGISTRY, ns.mod.A()


def check(ns):
    assert ns.a.key == "A" and ns.mod.B.key == "B"
    assert ns.mod.REGISTRY == {"A": ns.mod.A, "B": ns.mod.B}
