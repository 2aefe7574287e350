"""An Enum becomes an IntEnum although somebody made an instance of it that is no member."""

WEIGHT = 1
TAGS = ["classes"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
import enum
class Source(enum.Enum):
    LINE = 1
    FILE = 2
def default(source=Source.LINE):
    return source
""",
}

STEPS = [
    [
        (
            "write",
            "mod.py",
            """\
import enum
class Source(enum.IntEnum):
    LINE = 1
    FILE = 2
def default(source=Source.LINE):
    return source
""",
        ),
    ],
]


def setup(ns):
    ns.bare = object.__new__(ns.mod.Source)
    ns.held = [ns.mod.Source.FILE]


def check(ns):
    assert ns.mod.Source.LINE < ns.mod.Source.FILE
    assert ns.mod.default() is ns.mod.Source.LINE
    assert ns.held[0] is ns.mod.Source.FILE
    assert isinstance(ns.bare, ns.mod.Source)
