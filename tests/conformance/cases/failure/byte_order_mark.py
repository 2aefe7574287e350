"""A file that an editor saves with a byte order mark, and without it again, is the same file."""
WEIGHT = 1
TAGS = ['failure', 'lines']
PYTHON = '3.8'

FILES = {"mod.py": "RUNS = []\nRUNS.append(1)\n\n\ndef f():\n    return 1\n"}
_TWO = "RUNS = []\nRUNS.append(1)\n\n\ndef f():\n    return 2\n"
STEPS = [
    [("write", "mod.py", b"\xef\xbb\xbf" + _TWO.encode())],
    [("write", "mod.py", _TWO.replace("return 2", "return 3"))],
]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == 2 and ns.mod.RUNS == [1] and ns.f.__code__.co_firstlineno == 5


def check_2(ns):
    assert ns.f() == 3 and ns.mod.RUNS == [1]
