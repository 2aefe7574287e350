"""A generator suspended in an endless loop yields what the new body says, with the variables it had."""

WEIGHT = 1
TAGS = ["running", "on-stack", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
def count(start):
    n = start
    while True:
        n += 1
        yield ("old", n)
""",
}

STEPS = [
    [
        ("sub", "mod.py", '("old", n)', '("new", n)'),
    ],
]


def setup(ns):
    ns.g = ns.mod.count(10)
    assert next(ns.g) == ("old", 11)


def check(ns):
    assert next(ns.g) == ("new", 12)
    assert next(ns.g) == ("new", 13)
