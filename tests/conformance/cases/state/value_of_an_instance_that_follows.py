"""A value read from an instance that is derived in place is the new instance's."""
WEIGHT = 2
TAGS = ["state", "derived"]
VERSION = """
class Version:
    def __init__(self, text):
        self._parts = tuple(int(part) for part in text.split("."))

    @property
    def release(self):
        return self._parts
"""
APP = """
from version import Version

__version__ = "1.20.0"
parsed = Version(__version__)
info = parsed.release
if parsed.release[0] > 5:
    info += (1,)
"""
FILES = {"version.py": VERSION, "app.py": APP}
STEPS = [[("sub", "app.py", "1.20.0", "7.20.0")]]


def setup(ns):
    assert ns.app.info == (1, 20, 0)
    ns.parsed = ns.app.parsed


def check(ns):
    assert ns.app.info == (7, 20, 0, 1)
    assert ns.app.parsed is ns.parsed
    assert ns.parsed.release == (7, 20, 0)
