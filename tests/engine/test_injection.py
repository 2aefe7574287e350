"""One large update, failed at its steps in turn: each leaves the process as it was.

Every sixth step by default, a different one on each version; FAULT_STRIDE=1 takes all of them (minutes).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fingerprint
import hotswap
from hotswap import _hotswap

STRIDE = int(os.environ.get("FAULT_STRIDE", "6"))

OLD = {
    "shop/__init__.py": "from shop.core import RATE, total\n",
    "shop/core.py": """\
import functools
import weakref

RATE = 2
TABLE = {"a": 1, "b": 2}
NAMES = ["x", "y"]
KINDS = {1, 2}
handlers = []
routes = {}


def handler(function):
    handlers.append(function)
    return function


def route(path):
    def add(function):
        routes[path] = function
        return function

    return add


def total(items, rate=RATE, *, scale=1):
    "Old."
    return sum(items) * rate * scale


def make_counter(step):
    count = 0

    def bump():
        nonlocal count
        count += step
        return count

    return bump


counter = make_counter(1)


@functools.lru_cache(maxsize=None)
def cached(value):
    return value + 1


@handler
def on_start():
    return "old"


@route("/a")
def page():
    return "old"


def renamed_before(first, second):
    return [first, second, first + second, "renamed"]


def annotated(value: int) -> int:
    return value


key = lambda item: item[0]
gone = object()
held = [total, on_start]
watch = weakref.ref(total)
lent = ["port"]


def __hotswap_dispose__(data):
    data["lent"] = lent[:]
    lent.clear()


def __hotswap_accept__(data):
    lent[:] = data["lent"]
""",
    "shop/models.py": """\
import abc
import dataclasses
import enum

from shop.core import RATE


class Root:
    def hello(self):
        return "root"


class Other:
    def extra(self):
        return "other"


class Base(Root):
    kind = "old"

    def area(self):
        return 1

    @property
    def size(self):
        return 1

    @classmethod
    def build(cls):
        return cls()

    @staticmethod
    def plain():
        return 1


class Limits:
    limit = RATE


def tagged(cls):
    cls.tag = "old"
    return cls


@tagged
class Tagged:
    pass


class Leaf(Base):
    def __init__(self):
        self.value = 1

    def area(self):
        return super().area() + 1


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


class Shape(abc.ABC):
    @abc.abstractmethod
    def draw(self): ...


class Square(Shape):
    def draw(self):
        return "square"


class Color(enum.Enum):
    RED = 1
    GREEN = 2


@dataclasses.dataclass
class Point:
    x: int = 0
    y: int = 0


leaf = Leaf()
slotted = [Slotted(1), Slotted(2)]
by_object = {slotted[0]: "first"}
square = Square()
point = Point(1, 2)
favourite = Color.RED
""",
    "shop/leaving.py": "state = []\n\n\ndef away():\n    return state\n",
    "shop/moving.py": "names = ['kept']\n\n\ndef here():\n    return names\n",
    "shop/use.py": """\
import shop.leaving
from shop import core
from shop.core import RATE, TABLE, total
from shop.models import Base, Color, Leaf
from shop.moving import names

away = shop.leaving.away
DOUBLE = RATE * 2
sum_of = total
leaves = [Leaf()]
chosen = {Color.GREEN: "green"}


def run():
    return total([1, 2]) + DOUBLE


result = run()
""",
}

NEW = {
    "shop/__init__.py": "from shop.core import RATE, total\nfrom shop.extra import helper\n",
    "shop/extra.py": "from shop.deeper import DEEP\n\n\ndef helper():\n    return DEEP\n",
    "shop/deeper.py": "DEEP = 7\n",
    "shop/core.py": """\
import functools
import math
import weakref

RATE = 3
TABLE = {"a": 10, "c": 3}
NAMES = ["x", "y", "z"]
KINDS = {1, 3}
handlers = []
routes = {}


def handler(function):
    handlers.append(function)
    return function


def route(path):
    def add(function):
        routes[path] = function
        return function

    return add


def total(items, rate=RATE, *, scale=2, offset=0):
    "New."
    return sum(items) * rate * scale + offset


def make_counter(step):
    count = 0

    def bump():
        nonlocal count
        count += step * 2
        return count

    return bump


counter = make_counter(1)


@functools.lru_cache(maxsize=None)
def cached(value):
    return value + 2


@handler
def on_start(when=None):
    return "new"


@route("/b")
def page():
    return "new"


def renamed_after(first, second):
    return [first, second, first + second, "renamed"]


def annotated(value: float) -> float:
    return value


key = lambda item: item[1]
held = [total, on_start]
watch = weakref.ref(total)
lent = ["port"]


def __hotswap_dispose__(data):
    data["lent"] = lent[:]
    lent.clear()


def __hotswap_accept__(data):
    lent[:] = data["lent"]


PI = math.floor(math.pi)
TABLE["d"] = 4
computed = total([1])
""",
    "shop/models.py": """\
import abc
import dataclasses
import enum

from shop.core import RATE


class Root:
    def hello(self):
        return "root, new"


class Other:
    def extra(self):
        return "other"


class Base(Root, Other):
    kind = "new"
    added = [1]

    def area(self):
        return 10

    @property
    def size(self):
        return 2

    @classmethod
    def build(cls):
        return cls()

    @staticmethod
    def plain():
        return 2

    def more(self):
        return "more"


class Limits:
    limit = RATE


def tagged(cls):
    cls.tag = "new"
    return cls


@tagged
class Tagged:
    pass


class Leaf(Base):
    def __init__(self):
        self.value = 1
        self.fresh = []

    def area(self):
        return super().area() + 2


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a
        self.b = 0


class Shape(abc.ABC):
    @abc.abstractmethod
    def draw(self): ...

    @abc.abstractmethod
    def erase(self): ...


class Square(Shape):
    def draw(self):
        return "square"

    def erase(self):
        return "gone"


class Color(enum.Enum):
    RED = 1
    GREEN = 3
    BLUE = 4


@dataclasses.dataclass
class Point:
    x: int = 0
    y: int = 0
    z: list = dataclasses.field(default_factory=list)


leaf = Leaf()
slotted = [Slotted(1), Slotted(2)]
by_object = {slotted[0]: "first"}
square = Square()
point = Point(1, 2)
favourite = Color.RED
""",
    "shop/moved.py": "names = ['kept']\n\n\ndef here():\n    return names\n",
    "shop/use.py": """\
from shop import core
from shop.core import RATE, TABLE, total
from shop.models import Base, Color, Leaf, Point
from shop.moved import names

DOUBLE = RATE * 2
sum_of = total
leaves = [Leaf()]
chosen = {Color.GREEN: "green"}


def run():
    "Changed."
    return total([1, 2, 3]) + DOUBLE


result = run()
origin = Point(5, 6)
""",
}

# What a fresh start would make anew and an update keeps.
KEPT = ("shop.core.counter",)


def write(folder: Path, sources: dict[str, str]) -> None:
    for name, text in sources.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    for file in folder.rglob("*.py"):
        if str(file.relative_to(folder)) not in sources:
            file.unlink()


def cold_shape(folder: Path) -> list[str]:
    """What a process that is started with these sources holds."""
    program = (
        "import json, sys\n"
        f"sys.path[:0] = [{str(folder)!r}, {str(Path(fingerprint.__file__).parent)!r}]\n"
        "import shop.use, fingerprint\n"
        f"print(json.dumps(fingerprint.shape({str(folder)!r})))\n"
    )
    output = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, check=True)
    lines: list[str] = json.loads(output.stdout)
    return lines


def unlike(ours: list[str], cold: list[str]) -> list[str]:
    differing = [line for line in ours if line not in cold] + [
        f"cold: {line}" for line in cold if line not in ours
    ]
    return [line for line in differing if not line.removeprefix("cold: ").startswith(KEPT)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path, OLD)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "panics", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["error", "panic"]
)
def test_fault_at_every_step(folder: Path, panics: bool, capfd: pytest.CaptureFixture[str]) -> None:
    import shop.use  # type: ignore[import-not-found]

    roots = [shop.use.run, shop.models.Slotted(7), shop.models.Leaf()]
    hotswap.sync()
    # Once through, so that everything is imported that an update imports at its first time.
    write(folder, {**NEW, "shop/use.py": NEW["shop/use.py"] + "1 / 0\n"})
    assert hotswap.sync().status == "rejected"
    write(folder, OLD)
    hotswap.sync()
    # Each version begins elsewhere, so that together they take nearly all.
    step = sys.version_info.minor % STRIDE
    before = fingerprint.take(folder, roots)
    while True:
        write(folder, NEW)
        _hotswap._fail_at_step(step, panics)
        report = hotswap.sync()
        _hotswap._fail_at_step(None)
        if report.status == "applied":
            break
        assert report.error is not None and ("injected" in report.error.message), report
        if panics:
            # A bug of ours: the program lives, nothing of the update is left, and the report asks to be told.
            assert report.error.message.startswith("a bug in hotswap, please report it: injected panic")
        after = fingerprint.take(folder, roots)
        assert fingerprint.differences(before, after) == [], report.error.message
        write(folder, OLD)
        hotswap.sync()
        step += STRIDE
    assert step > 150
    assert unlike(fingerprint.shape(folder), cold_shape(folder)) == []


@pytest.mark.parametrize("step", [0, 7, 40, 80, 120, 160, 200])
def test_next_update_after_a_fault_is_whole(folder: Path, step: int) -> None:
    import shop.use  # noqa: F401

    hotswap.sync()
    write(folder, NEW)
    _hotswap._fail_at_step(step)
    assert hotswap.sync().status == "rejected"
    write(folder, {**NEW, "shop/core.py": NEW["shop/core.py"] + "\n"})
    report = hotswap.sync()
    assert report.status == "applied", report
    assert unlike(fingerprint.shape(folder), cold_shape(folder)) == []
