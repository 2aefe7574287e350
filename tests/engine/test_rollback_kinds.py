"""One kind of step after the other, undone because a later step of the same update fails.

Each fails twice: in a statement before the commit, and in one that runs after it, when everything has already
been written. What is compared is the deep fingerprint, and what the program itself can see.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fingerprint
import hotswap

Sources = dict[str, str]
Program = dict[str, types.ModuleType]

# A statement that hands a changed function on runs after the commit; MARK says whether it did.
HEAD = "MARK = 1\n\n\ndef probe(item):\n    return item\n\n\n"
NEW_HEAD = (
    "import sys\n\nMARK = 2\n\n\ndef probe(item):\n"
    "    raise ValueError(f'mark {vars(sys.modules[__name__])[\"MARK\"]}')\n\n\n"
)
FAILURES = {
    "before the commit": ("raise ValueError('too early')\n", "too early"),
    "after the commit": ("failed = sorted([1, 2], key=probe)\n", "mark 2"),
}

# What changes: the old sources, the new ones, and what must be seen before and afterwards. `main.py` fails.
KINDS: dict[str, tuple[Sources, Sources, Callable[[Program], object]]] = {
    "function": (
        {"main.py": "def f(a):\n    'old'\n    return a\n\n\nkept = [f]\n"},
        {"main.py": "def f(a, b=0):\n    'new'\n    return a + b + 1\n\n\nkept = [f]\n"},
        lambda p: (p["main"].kept[0](1), p["main"].f.__doc__, p["main"].f.__code__.co_argcount),
    ),
    "class inside a function that moves": (
        {"main.py": "def make():\n    class Made:\n        pass\n\n    return Made\n"},
        {"main.py": "\n\n\ndef make():\n    class Made:\n        pass\n\n    return Made\n"},
        lambda p: (p["main"].make.__code__.co_firstlineno, vars(p["main"].make()).get("__firstlineno__")),
    ),
    "renamed enum": (
        {
            "main.py": "import enum\n\nW = 8\n\n\nclass Old(enum.Enum):\n    A = 1\n\n    def m(self):\n        return self.value\n\n\nclass C:\n    K = W\n\n    def __init__(self, a=0):\n        self.a = a\n\n\nclass D(C):\n    K = 7 - W\n\n\nheld = D()\n"
        },
        {
            "main.py": "import enum\n\nW = 8\n\n\nclass New(enum.Enum):\n    A = 1\n\n    def m(self):\n        return self.value\n\n\nclass C:\n    K = W + 1\n\n    def __init__(self, a=5):\n        self.a = a\n\n\nclass D(C):\n    K = 7 - W\n\n\nheld = D()\n"
        },
        lambda p: (
            sorted(
                (kind.__name__, vars(kind.A)["__objclass__"] is kind)
                for kind in vars(p["main"]).values()
                if hasattr(kind, "A")
            ),
            p["main"].C.K,
        ),
    ),
    "order of the names": (
        {"main.py": "first = 1\n\n\ndef last():\n    return 1\n"},
        {"main.py": "first = 1\nsecond = 2\n\n\ndef third():\n    return 3\n\n\ndef last():\n    return 1\n"},
        lambda p: [name for name in vars(p["main"]) if name in ("first", "second", "third", "last")],
    ),
    "closure": (
        {
            "main.py": "def make(n):\n    def inner():\n        return n\n    return inner\n\n\none, two = make(1), make(2)\n"
        },
        {
            "main.py": "def make(n):\n    def inner():\n        return n * 10\n    return inner\n\n\none, two = make(1), make(2)\n"
        },
        lambda p: (p["main"].one(), p["main"].two(), p["main"].make(3)()),
    ),
    "defaults": (
        {
            "main.py": "def f(a=1, *, k=[1]):\n    return a, k\n\n\nf.__defaults__ = (5,)\nf.__kwdefaults__['k'].append(2)\n"
        },
        {
            "main.py": "def f(a=2, b=3, *, k=[9], m=1):\n    return a, k\n\n\nf.__defaults__ = (5,)\nf.__kwdefaults__['k'].append(2)\n"
        },
        lambda p: (p["main"].f(), p["main"].f.__defaults__, p["main"].f.__kwdefaults__),
    ),
    "annotations": (
        {"main.py": "x: int = 1\n\n\ndef f(a: int) -> int:\n    return a\n"},
        {"main.py": "x: str = 1\n\n\ndef f(a: str) -> str:\n    return a\n"},
        lambda p: (p["main"].__annotations__, p["main"].f.__annotations__),
    ),
    "class dict": (
        {
            "main.py": "class A:\n    x = 1\n\n    def m(self):\n        return 1\n\n    @property\n    def p(self):\n        return 1\n\n\na = A()\n"
        },
        {
            "main.py": "class A:\n    y = 2\n\n    def m(self):\n        return 2\n\n    @property\n    def p(self):\n        return 2\n\n    @classmethod\n    def c(cls):\n        return 3\n\n\na = A()\n"
        },
        lambda p: (
            p["main"].a.x,
            p["main"].a.m(),
            p["main"].a.p,
            hasattr(p["main"].A, "y"),
            hasattr(p["main"].A, "c"),
        ),
    ),
    "bases": (
        {
            "main.py": "class One:\n    w = 1\n\n\nclass Two:\n    w = 2\n\n\nclass A(One):\n    pass\n\n\nclass B(A):\n    pass\n\n\nb = B()\n"
        },
        {
            "main.py": "class One:\n    w = 1\n\n\nclass Two:\n    w = 2\n\n\nclass A(Two):\n    pass\n\n\nclass B(A):\n    pass\n\n\nb = B()\n"
        },
        lambda p: (p["main"].b.w, p["main"].A.__bases__, p["main"].B.__mro__, p["main"].Two.__subclasses__()),
    ),
    "metaclass": (
        {"main.py": "class Meta(type):\n    pass\n\n\nclass A:\n    pass\n\n\na = A()\n"},
        {"main.py": "class Meta(type):\n    pass\n\n\nclass A(metaclass=Meta):\n    pass\n\n\na = A()\n"},
        lambda p: (type(p["main"].A), type(p["main"].a) is p["main"].A),
    ),
    "instances moved": (
        {
            "main.py": "class S:\n    __slots__ = ('a',)\n\n\ns = S()\ns.a = 7\nby = {s: 's'}\nlist_of = [s, s]\n"
        },
        {
            "main.py": "class S:\n    __slots__ = ('a', 'b')\n\n\ns = S()\ns.a = 7\nby = {s: 's'}\nlist_of = [s, s]\n"
        },
        lambda p: (
            id(p["main"].s),
            p["main"].s.a,
            p["main"].by[p["main"].s],
            p["main"].list_of[1] is p["main"].s,
        ),
    ),
    "attributes given to instances": (
        {"main.py": "class A:\n    def __init__(self):\n        self.a = 1\n\n\na = A()\n"},
        {
            "main.py": "class A:\n    def __init__(self):\n        self.a = 1\n        self.b = []\n\n\na = A()\n"
        },
        lambda p: vars(p["main"].a),
    ),
    "enum members": (
        {"main.py": "import enum\n\n\nclass E(enum.Enum):\n    A = 1\n    B = 2\n\n\nheld = {E.A: 1}\n"},
        {"main.py": "import enum\n\n\nclass E(enum.Enum):\n    A = 1\n    C = 3\n\n\nheld = {E.A: 1}\n"},
        lambda p: (list(p["main"].E), p["main"].E(2), p["main"].held[p["main"].E.A], p["main"].E.__members__),
    ),
    "dataclass fields": (
        {
            "main.py": "import dataclasses\n\n\n@dataclasses.dataclass\nclass P:\n    x: int = 1\n\n\np = P(3)\n"
        },
        {
            "main.py": "import dataclasses\n\n\n@dataclasses.dataclass\nclass P:\n    x: int = 1\n    y: list = dataclasses.field(default_factory=list)\n\n\np = P(3)\n"
        },
        lambda p: (repr(p["main"].p), vars(p["main"].p), p["main"].P(1) == p["main"].P(1)),
    ),
    "containers merged": (
        {"main.py": "D = {'a': 1, 'b': 2}\nL = [1, 2]\nS = {1, 2}\nD['live'] = 0\nL.append(9)\nS.add(9)\n"},
        {
            "main.py": "D = {'a': 5, 'c': 3}\nL = [0, 1, 2]\nS = {2, 3}\nD['live'] = 0\nL.append(9)\nS.add(9)\n"
        },
        lambda p: (list(p["main"].D.items()), p["main"].L, p["main"].S, id(p["main"].D), id(p["main"].L)),
    ),
    "imported names": (
        {
            "base.py": "VALUE = 1\n\n\ndef f():\n    return 1\n",
            "main.py": "from base import *\nfrom base import f as g\n",
        },
        {
            "base.py": "VALUE = 2\nMORE = 3\n\n\ndef f():\n    return 2\n",
            "main.py": "from base import *\nfrom base import VALUE as g\n",
        },
        lambda p: (p["main"].VALUE, p["main"].g is p["base"].f, hasattr(p["main"], "MORE"), p["main"].f()),
    ),
    "derived values": (
        {
            "base.py": "WIDTH = 2\nAREA = WIDTH * 2\n",
            "main.py": "import base\nVOLUME = base.AREA * 2\n\n\ndef f(n=base.WIDTH):\n    return n\n",
        },
        {
            "base.py": "WIDTH = 3\nAREA = WIDTH * 2\n",
            "main.py": "import base\nVOLUME = base.AREA * 2\n\n\ndef f(n=base.WIDTH):\n    return n\n",
        },
        lambda p: (p["base"].AREA, p["main"].VOLUME, p["main"].f()),
    ),
    "module added": (
        {"pack/__init__.py": "", "main.py": "import pack\n"},
        {
            "pack/__init__.py": "",
            "pack/fresh.py": "from pack.deeper.still import Z\n",
            "pack/deeper/__init__.py": "",
            "pack/deeper/still.py": "Z = 1\n",
            "main.py": "import pack\nimport pack.fresh\n",
        },
        lambda p: (sorted(vars(p["pack"])), [name for name in sys.modules if name.startswith("pack")]),
    ),
    "module removed": (
        {
            "pack/__init__.py": "",
            "pack/leaf.py": "state = []\n\n\ndef f():\n    return 1\n",
            "main.py": "import pack.leaf\nfrom pack.leaf import f\n",
        },
        {"pack/__init__.py": "", "main.py": "import pack\n"},
        lambda p: (
            sys.modules["pack.leaf"] is p["pack.leaf"],
            p["pack"].leaf is p["pack.leaf"],  # type: ignore[attr-defined]
            p["main"].f(),
            p["main"].f is p["pack.leaf"].f,
        ),
    ),
    "module moved": (
        {
            "before.py": "state = []\n\n\ndef f():\n    return 1\n",
            "main.py": "import before\nstate = before.state\n",
        },
        {
            "behind.py": "state = []\n\n\ndef f():\n    return 1\n",
            "main.py": "import behind\nstate = behind.state\n",
        },
        lambda p: (
            "before" in sys.modules,
            "behind" in sys.modules,
            p["before"].f(),
            p["before"].__name__,
            p["main"].state is p["before"].state,
        ),
    ),
    "module becomes a package": (
        {"thing.py": "state = []\n\n\ndef f():\n    return 1\n", "main.py": "import thing\n"},
        {
            "thing/__init__.py": "from thing.inner import f\nstate = []\n",
            "thing/inner.py": "def f():\n    return 1\n",
            "main.py": "import thing\n",
        },
        lambda p: (
            sys.modules["thing"] is p["thing"],
            hasattr(p["thing"], "__path__"),
            p["thing"].f(),
            "thing.inner" in sys.modules,
        ),
    ),
    "line numbers": (
        {
            "main.py": "def f():\n    return 1\n\n\ndef g():\n    yield 1\n    yield 2\n\n\nrunning = g()\nnext(running)\n"
        },
        {
            "main.py": "# one\n# two\n\n\ndef f():\n\n    return 1\n\n\ndef g():\n    yield 1\n    yield 2\n\n\nrunning = g()\nnext(running)\n"
        },
        lambda p: (
            p["main"].f.__code__.co_firstlineno,
            fingerprint._lines(p["main"].f.__code__),
            p["main"].running.gi_frame.f_lineno,
        ),
    ),
    "registrations": (
        {
            "main.py": "import logging\n\nhooks = []\nroutes = {}\n\n\ndef on(path):\n    def add(f):\n        hooks.append(f)\n        routes[path] = f\n        return f\n    return add\n\n\n@on('/a')\ndef first():\n    return 1\n\n\n@on('/b')\ndef second():\n    return 2\n\n\nhandler = logging.NullHandler()\nlogging.getLogger('kinds').addHandler(handler)\n"
        },
        {
            "main.py": "import logging\n\nhooks = []\nroutes = {}\n\n\ndef on(path):\n    def add(f):\n        hooks.append(f)\n        routes[path] = f\n        return f\n    return add\n\n\n@on('/c')\ndef first():\n    return 3\n\n\n@on('/d')\ndef third():\n    return 4\n"
        },
        lambda p: (
            [f.__name__ for f in p["main"].hooks],
            [(path, f()) for path, f in p["main"].routes.items()],
            p["main"].logging.getLogger("kinds").handlers == [p["main"].handler],
        ),
    ),
    "caches": (
        {
            "main.py": "import functools\n\nRATE = 2\n\n\n@functools.lru_cache(None)\ndef f(n):\n    return n * RATE\n\n\nf(3)\n"
        },
        {
            "main.py": "import functools\n\nRATE = 3\n\n\n@functools.lru_cache(None)\ndef f(n):\n    return n * RATE + 1\n\n\nf(3)\n"
        },
        lambda p: (p["main"].f(3), p["main"].f.cache_info().currsize, p["main"].f(4)),
    ),
    "decorators": (
        {
            "main.py": "import functools\n\n\ndef deco(f):\n    @functools.wraps(f)\n    def wrapper(*a):\n        return f(*a)\n    return wrapper\n\n\ndef f():\n    return 1\n\n\nheld = [f]\n"
        },
        {
            "main.py": "import functools\n\n\ndef deco(f):\n    @functools.wraps(f)\n    def wrapper(*a):\n        return f(*a) + 100\n    return wrapper\n\n\n@deco\ndef f():\n    return 1\n\n\nheld = [f]\n"
        },
        lambda p: (p["main"].f(), p["main"].held[0](), p["main"].held[0] is p["main"].f),
    ),
    "names removed and renamed": (
        {"main.py": "X = 1\n\n\ndef before(a):\n    b = a * 2 + 1\n    return [b, a]\n\n\nheld = [before]\n"},
        {"main.py": "def behind(a):\n    b = a * 2 + 1\n    return [b, a]\n\n\nheld = [behind]\n"},
        lambda p: (
            p["main"].X,
            p["main"].held[0].__name__,
            p["main"].before(1),
            hasattr(p["main"], "behind"),
        ),
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, sources: Sources) -> None:
    for name, text in sources.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for file in folder.rglob("*.py"):
        if str(file.relative_to(folder)) not in sources:
            file.unlink()


def see(look: Callable[[Program], object], program: Program) -> str:
    try:
        return repr(look(program))
    except (AttributeError, KeyError, ValueError) as gone:
        return repr(gone)


def with_main(sources: Sources, head: str, tail: str = "") -> Sources:
    return {**sources, "main.py": head + sources["main.py"] + tail}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", KINDS)
def test_later_step_fails(folder: Path, kind: str, failure: str) -> None:
    old, new, look = KINDS[kind]
    tail, message = FAILURES[failure]
    write(folder, with_main(old, HEAD))
    main: Any = __import__("main")
    hotswap.sync()
    # What the interpreter imports when something fails for the first time is not what an update leaves behind.
    write(folder, with_main(old, HEAD, "1 / 0\n"))
    assert hotswap.sync().status == "rejected"
    write(folder, with_main(old, HEAD))
    hotswap.sync()
    program = {
        name: module
        for name, module in sys.modules.items()
        if (getattr(module, "__file__", None) or "").startswith(str(folder))
    }
    see(look, program)  # what it caches is cached now
    seen = see(look, program)
    before = fingerprint.take(folder)

    write(folder, with_main(new, NEW_HEAD, tail))
    report = hotswap.sync()
    assert report.status == "rejected", report
    assert report.error is not None and message in report.error.message, report.error
    assert fingerprint.differences(before, fingerprint.take(folder)) == []
    assert see(look, program) == seen
    assert main.MARK == 1 and main.probe(3) == 3

    # And the same edit without the failure is whole.
    write(folder, with_main(new, HEAD.replace("1", "2", 1)))
    report = hotswap.sync()
    assert report.status == "applied", report
    assert main.MARK == 2 and see(look, program) != seen
