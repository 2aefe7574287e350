"""What a call at the top of a module fills follows the table it fills from; what the program changed stays."""
WEIGHT = 2
TAGS = ["state", "derived"]
CODES = '''
"""Codes by name."""

class Lookup(dict):
    def __init__(self, name):
        self.name = name
        super().__init__()

_codes = {
    200: ("ok", "okay"),
    404: ("not_found",),
}
codes = Lookup(name="codes")
LISTED = (200, 404)

def _init():
    for code, titles in _codes.items():
        for title in titles:
            setattr(codes, title, code)
    global __doc__
    __doc__ = __doc__ + ", ".join(str(code) for code in sorted(_codes))

_init()
'''
USER = """
from codes import LISTED, codes

GOOD = (codes.ok, codes.not_found)

def name():
    return codes.missing
"""
FILES = {"codes.py": CODES, "user.py": USER, "other.py": "from user import GOOD\n"}
STEPS = [
    [
        ("sub", "codes.py", '404: ("not_found",)', '404: ("not_found", "missing")'),
        ("sub", "codes.py", '"okay")', '"fine")'),
    ]
]


def setup(ns):
    ns.codes_object = ns.codes.codes
    assert ns.codes.__doc__ == "Codes by name.200, 404"


def check(ns):
    assert ns.codes.codes is ns.codes_object is ns.user.codes
    assert ns.codes_object.missing == 404 and ns.user.name() == 404
    assert ns.codes_object.fine == 200 and not hasattr(ns.codes_object, "okay")
    assert ns.codes.__doc__ == "Codes by name.200, 404"
    assert ns.other.GOOD is ns.user.GOOD
