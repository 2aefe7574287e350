"""Latin-1 bytes in a file that names no encoding are refused; with the encoding named they are read as such."""
WEIGHT = 1
TAGS = ['failure']
PYTHON = '3.8'

FILES = {"mod.py": "def f():\n    return 'one'\n"}
_TEXT = "def f():\n    return '\xe9'\n".encode("latin-1")
STEPS = [
    [("write", "mod.py", _TEXT)],
    [("write", "mod.py", b"# -*- coding: latin-1 -*-\n" + _TEXT)],
    [("write", "mod.py", "def f():\n    return '\xe8'\n".encode())],
]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.f() == "one"


def check_2(ns):
    assert ns.f() == "\xe9"


def check_3(ns):
    assert ns.f() == "\xe8"
