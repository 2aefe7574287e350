"""A frozen attrs instance that a module made follows what it was made of."""
WEIGHT = 2
TAGS = ["frameworks", "attrs", "derived"]
NEEDS = ["attr"]
FILES = {
    "settings.py": """
import attr

PORT = 1


@attr.s(frozen=True, slots=True)
class Limits:
    low = attr.ib(default=0)
    high = attr.ib(default=9, validator=attr.validators.instance_of(int))


@attr.s(frozen=True)
class Settings:
    port = attr.ib()
    limits = attr.ib(factory=Limits)
    names = attr.ib(default=(), converter=tuple)


DEFAULT = Settings(PORT, names=["a", "b"])
""",
    "app.py": "from settings import DEFAULT\n\ndef port():\n    return DEFAULT.port\n",
}
STEPS = [[("sub", "settings.py", "PORT = 1", "PORT = 2")]]


def setup(ns):
    ns.port = ns.app.port
    assert ns.port() == 1


def check(ns):
    assert ns.port() == 2
    assert ns.settings.DEFAULT is ns.app.DEFAULT
    assert ns.settings.DEFAULT.names == ("a", "b") and ns.settings.DEFAULT.limits.high == 9
