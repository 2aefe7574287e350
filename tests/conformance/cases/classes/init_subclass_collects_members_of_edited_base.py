"""What __init_subclass__ collected from the members of a class and its bases follows an edit of them."""

WEIGHT = 1
TAGS = ["classes", "derived", "state"]
PYTHON = "3.9"

FILES = {
    "base.py": """\
class Field:
    def __init__(self, default):
        self.default = default
    def __set_name__(self, owner, name):
        self.owner = owner
        setattr(owner, f"_default_{name}", self.default)

class Names:
    def __init__(self, names=()):
        self.by_letter = {}
        for name in split(names):
            self.by_letter.setdefault(name[0], []).append(name)
    @classmethod
    def of(cls, found):
        names = cls()
        names.by_letter = found
        return names

def split(names):
    for name in names:
        yield name.strip()

class Node:
    NAMES = []
    def __init_subclass__(cls, inherit=True):
        super().__init_subclass__()
        fields = cls.fields = {}
        for base in reversed(cls.__mro__):
            fields.update({k: v for k, v in base.__dict__.items() if isinstance(v, Field)})
        cls.inherit = inherit
        cls.merged = cls.merge()
        cls.actions = frozenset([n[4:] for n in dir(cls) if n.startswith("act_")])
    @classmethod
    def merge(cls):
        found = {}
        for base in reversed(cls.__mro__):
            if issubclass(base, Node):
                if not getattr(base, "inherit", True):
                    found.clear()
                names = Names(base.__dict__.get("NAMES", []))
                for letter, entries in names.by_letter.items():
                    found[letter] = entries
        return Names.of(found)

class Widget(Node):
    NAMES = ["quit ", "up"]
    size = Field(1)
    color = Field("red")
    align = Field(None)
    def act_go(self):
        return 1
""",
    "app.py": """\
from base import Field, Widget
class Button(Widget):
    text = Field("")
    NAMES = ["press"]
class Bare(Widget, inherit=False):
    pass
""",
}

STEPS = [
    [
        ("sub", "base.py", '"up"]', '"up", "down"]'),
        ("sub", "base.py", '    color = Field("red")\n', '    colour = Field("blue")\n'),
        ("sub", "base.py", "def act_go", "def act_run"),
    ],
]


def setup(ns):
    ns.button, ns.inherit = ns.app.Button, ns.app.Bare.inherit
    ns.base.Widget.extra = "set by the program"


def check(ns):
    for kind in (ns.base.Widget, ns.app.Button, ns.app.Bare):
        own = ["text"] if kind is ns.app.Button else []
        assert list(kind.fields) == ["size", "colour", "align", *own], kind.fields
        assert kind.fields["colour"] is ns.base.Widget.__dict__["colour"]
        assert kind.actions == {"run"}, kind.actions
        assert kind.__dict__["inherit"] is (kind is not ns.app.Bare)
    assert ns.app.Button is ns.button
    letters = {"q": ["quit"], "u": ["up"], "d": ["down"]}
    assert ns.base.Widget.merged.by_letter == letters
    assert ns.app.Button.merged.by_letter == {**letters, "p": ["press"]}
    assert ns.app.Bare.merged.by_letter == {}
    assert ns.base.Widget._default_colour == "blue"
    assert not hasattr(ns.app.Button, "_default_color")
    assert ns.base.Widget.extra == "set by the program"
