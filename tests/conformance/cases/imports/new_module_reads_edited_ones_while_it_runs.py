"""A module that is imported for the first time in the save that edits others: what it reads and calls of them while it runs is the new."""
WEIGHT = 2
TAGS = ["imports"]
PYTHON = "3.8"

FILES = {
    "config.py": '''\
LIMIT = 1
COUNTS = {}


def double(x):
    return x * 2
''',
    "deep.py": '''\
def helper():
    return "old"


def through():
    return helper()
''',
    "main_part.py": "import config\nimport deep\n",
    "fresh.py": '''\
import config
import deep as below
import fresh_too
from config import double

LIMIT = config.LIMIT
BY_ATTRIBUTE = config.double(5)
BY_NAME = double(5)
DEEP = below.through()
COUNTS = config.COUNTS
''',
    "fresh_too.py": '''\
import config


class Limited:
    limit = config.LIMIT


def f(limit=config.LIMIT):
    return limit


def twice():
    return config.LIMIT * 2


TWICE = twice()
''',
}
IMPORT = ["config", "deep", "main_part"]

STEPS = [
    [
        ("sub", "config.py", "LIMIT = 1", "LIMIT = 2"),
        ("sub", "config.py", "x * 2", "x * 3"),
        ("sub", "deep.py", '"old"', '"new"'),
        ("sub", "main_part.py", "import deep\n", "import deep\nimport fresh\n\nSEEN = fresh.LIMIT\n"),
    ]
]


def setup(ns):
    ns.config.COUNTS["live"] = 1


def check(ns):
    fresh = ns.main_part.fresh
    assert fresh.LIMIT == 2, fresh.LIMIT
    assert fresh.BY_ATTRIBUTE == 15, fresh.BY_ATTRIBUTE
    assert fresh.BY_NAME == 15, fresh.BY_NAME
    assert fresh.DEEP == "new", fresh.DEEP
    assert fresh.fresh_too.Limited.limit == 2
    assert fresh.fresh_too.f() == 2
    assert fresh.fresh_too.TWICE == 4
    assert fresh.COUNTS is ns.config.COUNTS
    assert ns.main_part.SEEN == 2
