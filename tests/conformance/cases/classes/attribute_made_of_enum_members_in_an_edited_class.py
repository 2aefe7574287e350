"""A class attribute made of all members of an enum has the new member, also where the class changes too."""
WEIGHT = 1
TAGS = ["classes", "enum", "derived"]
FILES = {
    "app.py": """
import enum

class Part(enum.Enum):
    NAME = "name"
    LINE = "line"

def name():
    return 1

def line():
    return 2

class Adder:
    handlers = {
        Part.NAME: name,
        Part.LINE: line,
    }
    everything = set(Part)
    names = [part.name for part in Part]

    def __init__(self, parts=everything):
        self.parts = parts
"""
}
STEPS = [
    [
        ("sub", "app.py", "    LINE = \"line\"\n", "    LINE = \"line\"\n    MODULE = \"module\"\n"),
        ("sub", "app.py", "class Adder", "def module():\n    return 3\n\nclass Adder"),
        ("sub", "app.py", "        Part.LINE: line,\n", "        Part.LINE: line,\n        Part.MODULE: module,\n"),
    ]
]


def setup(ns):
    ns.everything = ns.app.Adder.everything


def check(ns):
    Adder, Part = ns.app.Adder, ns.app.Part
    assert {part.name for part in Adder.everything} == {"NAME", "LINE", "MODULE"}
    assert Adder.everything is ns.everything
    assert Adder.names == ["NAME", "LINE", "MODULE"]
    assert Adder.handlers[Part.MODULE]() == 3
    assert len(Adder().parts) == 3
