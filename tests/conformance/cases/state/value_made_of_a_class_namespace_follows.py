"""A list made of `C.__dict__` is made again when the class gains a member or loses one."""
WEIGHT = 1
TAGS = ["state", "derived"]
PYTHON = "3.8"

FILES = {
    "mod.py": '''\
class Shapes:
    def circle(self):
        return 1

    def square(self):
        return 2


NAMES = [name for name in Shapes.__dict__ if not name.startswith("_")]
COUNT = len(NAMES)
''',
    "user.py": '''\
import mod

PUBLIC = sorted(name for name in mod.Shapes.__dict__ if not name.startswith("_"))
''',
}

STEPS = [
    [("sub", "mod.py", "    def square", "    def cube(self):\n        return 3\n\n    def square")],
    [("sub", "mod.py", "    def circle(self):\n        return 1\n\n", "")],
]


def check_1(ns):
    assert sorted(ns.mod.NAMES) == ["circle", "cube", "square"], ns.mod.NAMES
    assert ns.mod.COUNT == 3
    assert ns.user.PUBLIC == ["circle", "cube", "square"], ns.user.PUBLIC


def check(ns):
    assert sorted(ns.mod.NAMES) == ["cube", "square"], ns.mod.NAMES
    assert ns.mod.COUNT == 2
    assert ns.user.PUBLIC == ["cube", "square"], ns.user.PUBLIC
