"""What __init_subclass__ collected stays where the program changed it, and follows elsewhere."""

WEIGHT = 1
TAGS = ["classes", "derived", "state"]
PYTHON = "3.9"

FILES = {
    "mod.py": """\
class Base:
    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls.names = [n for n in sorted(vars(cls).keys()) if not n.startswith("_")]

class Noted(Base):
    def one(self):
        return 1

class Plain(Base):
    def one(self):
        return 1
""",
}

STEPS = [
    [
        (
            "sub",
            "mod.py",
            "class Noted(Base):\n    def one",
            "class Noted(Base):\n    limit = 3\n    def one",
        ),
        (
            "sub",
            "mod.py",
            "class Plain(Base):\n    def one",
            "class Plain(Base):\n    limit = 3\n    def one",
        ),
    ],
]


def setup(ns):
    ns.mod.Noted.names.append("live")


def check(ns):
    assert ns.mod.Noted.names == ["one", "live"], ns.mod.Noted.names
    assert ns.mod.Noted.limit == 3
    assert ns.mod.Plain.names == ["limit", "one"], ns.mod.Plain.names
