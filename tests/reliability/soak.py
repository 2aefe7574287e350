"""Many updates of a mixed program in one process; in the end nothing has grown.

python tests/reliability/soak.py [--updates 20000] [--trace]

The program goes round a cycle of states: functions, closures, classes, slots, dataclasses, enums, constants,
dicts that the program adds to, decorators, caches, imports, a module that comes and goes, one that moves,
syntax errors and statements that fail. After each whole cycle its source is what it was in the beginning, so
every count must be too, once what hotswap keeps for a while (100 reports, 100 removed definitions, 100
generations) has reached its bounds: objects by type, functions, classes, code objects, traced memory, threads, descriptors.
What the process holds resident is measured; the allocator keeps some of it, so a bound is set, not zero.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import hotswap

# The parts of the program in their variants; each state of the cycle picks one of each.
FUNCTIONS = (
    "def plain(a, b=2):\n    return a + b\n",
    "def plain(a, b=3, *, c=LIMIT):\n    return a * b + c\n",
    "async def plain(a):\n    return a\n",
    "def plain(a):\n    yield a\n    yield from [lambda: a]\n",
)
CLOSURES = (
    "def outer(x):\n    def inner(y):\n        return x + y\n    return inner\nkept = outer(1)\n",
    "def outer(x):\n    z = 3\n    def inner(y):\n        return x - y\n    return inner\nkept = outer(1)\n",
    "def outer(x):\n    def inner(y=LIMIT):\n        return [x for _ in range(y)]\n    return inner\nkept = outer(1)\n",
)
CLASSES = (
    "class Base:\n    def hello(self):\n        return 1\n\nclass Thing(Base):\n    level = 1\n    def __init__(self):\n        self.a = 1\n",
    "class Base:\n    def hello(self):\n        return 2\n    @property\n    def more(self):\n        return self\n\n"
    "class Thing(Base):\n    level = 2\n    def __init__(self):\n        self.a = 1\n        self.b = []\n    def hello(self):\n        return super().hello()\n",
    "class Base:\n    @staticmethod\n    def hello():\n        return 3\n\nclass Other:\n    pass\n\nclass Thing(Base, Other):\n    level = 3\n    class Inner:\n        pass\n    def __init__(self):\n        self.a = 2\n",
)
SLOTS = (
    "class Point:\n    __slots__ = ('x', 'y')\n    def __init__(self):\n        self.x = 1\n        self.y = 2\n",
    "class Point:\n    __slots__ = ('x', 'y', 'z')\n    def __init__(self):\n        self.x = 1\n        self.y = 2\n        self.z = 3\n",
    "class Point:\n    __slots__ = ('x', 'y')\n    def __init__(self):\n        self.x = 1\n        self.y = 2\n    def length(self):\n        return self.x\n",
)
DATA = (
    "@dataclasses.dataclass\nclass Row:\n    name: str = 'a'\n",
    "@dataclasses.dataclass\nclass Row:\n    name: str = 'b'\n    tags: list = dataclasses.field(default_factory=list)\n",
    "@dataclasses.dataclass(order=True)\nclass Row:\n    name: str = 'a'\n    size: int = 3\n",
)
ENUMS = (
    "class Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n",
    "class Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n    GREEN = 3\n",
    "class Colour(enum.Enum):\n    RED = 1\n    BLUE = 4\n    def name_of(self):\n        return self.name\n",
)
VALUES = (
    "LIMIT = 3\nDOUBLE = LIMIT * 2\nNAMES = ['a', 'b']\nTABLE = {'one': 1, 'two': plain}\n",
    "LIMIT = 4\nDOUBLE = LIMIT * 2\nNAMES = ['a', 'b', 'c']\nTABLE = {'one': 1, 'two': plain, 'three': 3}\n",
    "LIMIT = 4\nDOUBLE = LIMIT + 20\nNAMES = ['c']\nTABLE = {'one': 11, 'three': [lambda: 3]}\nfor number in range(3):\n    TABLE[number] = number\n",
)
DECORATED = (
    "@functools.lru_cache(maxsize=8)\ndef cached(x):\n    return x + LIMIT\n",
    "@through\n@functools.lru_cache(maxsize=8)\ndef cached(x):\n    return x - LIMIT\n",
    "@through\ndef cached(x):\n    return x\n",
    "@functools.singledispatch\ndef cached(x):\n    return 0\n\n@cached.register(int)\ndef _(x):\n    return x\n",
)
IMPORTS = (
    "import dataclasses, enum, functools\nfrom side import SIDE, helper\n",
    "import dataclasses, enum, functools\nfrom side import SIDE\nimport side\nhelper = side.helper\n",
    "import dataclasses, enum, functools\nfrom side import *\nfrom side import helper as renamed\n",
)
THROUGH = "def through(function):\n    @functools.wraps(function)\n    def wrapper(*args):\n        return function(*args)\n    return wrapper\n"
SIDE = (
    "SIDE = 1\ndef helper():\n    return SIDE\n",
    "SIDE = 2\ndef helper(x=SIDE):\n    return x, SIDE\nEXTRA = object\n",
)
FAILING = (
    "\ndef broken(:\n",
    "\nraise ValueError('statement')\n",
    "\nfrom side import missing_name\n",
    "\nimport no_such_module_at_all\n",
    "\nclass Broken(Base):\n    1 / 0\n",
    "\nraise SystemExit\n",
)
# Whole states of the program: an index for each part, in this order.
PARTS = (IMPORTS, VALUES, FUNCTIONS, CLOSURES, CLASSES, SLOTS, DATA, ENUMS, DECORATED)
RESIDENT_BOUND = 6.0
"""Megabytes that the process may hold more after 20,000 updates than after the first cycles."""


class Program:
    """The watched program: `mixed` and `side`, and `guest`, which comes and goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = ""
        self.save("side.py", SIDE[0])
        self.save("mixed.py", self.mixed([0] * len(PARTS)))

    def mixed(self, picks: list[int]) -> str:
        imports, values, functions, *others = [part[pick] for part, pick in zip(PARTS, picks)]
        text = "\n".join([imports, THROUGH, "LIMIT = 3", functions, values, *others])
        return text + "\nMADE = globals().get('MADE') or [Thing(), Row(), Colour.RED]\n"

    def save(self, name: str, text: str) -> None:
        path = self.folder / name
        if name == "mixed.py":
            self.text = text
        path.write_text(text)

    def cycle(self) -> list[tuple[str, Callable[[], object]]]:
        """What is done to the files in one cycle, with the status that each report must have."""
        start = [0] * len(PARTS)
        steps: list[tuple[str, Callable[[], object]]] = []

        def mixed(picks: list[int]) -> Callable[[], object]:
            return lambda: self.save("mixed.py", self.mixed(picks))

        for place, part in enumerate(PARTS):
            for pick in [*range(1, len(part)), 0]:
                picks = [*start[:place], pick, *start[place + 1 :]]
                steps.append(("applied", mixed(picks)))
        for shift in (1, 2, 0):
            steps.append(
                ("applied", mixed([(shift + place) % 3 if shift else 0 for place in range(len(PARTS))]))
            )
        steps[-1] = ("applied", mixed(start))
        for text in FAILING:
            steps.append(("rejected", lambda text=text: self.save("mixed.py", self.mixed(start) + text)))
            steps.append(("unchanged", mixed(start)))
        steps.append(("applied", lambda: self.save("side.py", SIDE[1])))
        steps.append(("applied", lambda: self.save("side.py", SIDE[0])))
        steps.append(
            ("any", lambda: self.save("guest.py", "import side\ndef visit():\n    return side.SIDE\n"))
        )
        steps.append(("applied", lambda: self.save("mixed.py", self.mixed(start) + "import guest\n")))
        steps.append(
            ("applied", lambda: self.save("guest.py", "def visit():\n    return 2\nclass Seen:\n    pass\n"))
        )
        steps.append(("applied", mixed(start)))
        steps.append(("any", lambda: os.rename(self.folder / "guest.py", self.folder / "moved.py")))
        steps.append(("any", lambda: os.remove(self.folder / "moved.py")))
        return steps


def census() -> Counter[str]:
    """How many objects of each type there are, as far as the collector knows them."""
    for _ in range(3):
        gc.collect()
    return Counter(type(one).__qualname__ for one in gc.get_objects())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def resident() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def code_objects() -> int:
    """Code objects are unknown to the collector; those that functions and code objects hold are counted."""
    seen: dict[int, object] = {}
    waiting = [one.__code__ for one in gc.get_objects() if type(one) is type(census)]
    while waiting:
        code = waiting.pop()
        if id(code) not in seen:
            seen[id(code)] = code
            waiting += [constant for constant in code.co_consts if type(constant) is type(code)]
    return len(seen)


class Soak:
    """The figures of one run."""

    def __init__(self, updates: int, trace: bool, warm_up: int) -> None:
        self.updates = updates
        self.warm_up = warm_up
        self.trace = trace
        self.done = 0
        self.statuses: Counter[str] = Counter()
        self.problems: list[str] = []

    def run(self) -> dict[str, object]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            sys.path.insert(0, str(folder))
            if self.trace:
                # From the beginning: what was allocated before it is not seen to go.
                tracemalloc.start(8)
            sys.dont_write_bytecode = True
            program = Program(folder)
            import mixed

            with hotswap.watch(folder) as session:
                session.pause()
                hotswap.sync()
                return self.cycles(program, mixed)

    def cycles(self, program: Program, mixed: object) -> dict[str, object]:
        started = time.monotonic()
        warm_up = self.warm_up
        number = 0
        first: dict[str, object] = {}
        while self.done < self.updates or number <= warm_up:
            for wanted, act in program.cycle():
                self.step(wanted, act)
                mixed.TABLE["added by the program"] = self.done  # type: ignore[attr-defined]
            number += 1
            if number == warm_up:
                first = self.measure()
                first_objects = census()
                first_memory = tracemalloc.take_snapshot() if self.trace else None
                first_done = self.done
        last = self.measure()
        grown = {
            kind: f"{first_objects[kind]} -> {count}"
            for kind, count in census().items()
            if count > first_objects[kind] + 4 and kind not in ("Counter", "cell")
        }
        if grown:
            self.problems.append(f"objects have grown: {grown}")
        for what in ("functions", "classes", "codes", "threads", "descriptors", "modules"):
            if last[what] != first[what]:
                self.problems.append(f"{what}: {first[what]} -> {last[what]}")
        after = max(1, self.done - first_done)
        per_update = (last["resident_mb"] - first["resident_mb"]) / after  # type: ignore[operator]
        if per_update * 20_000 > RESIDENT_BOUND and after > 2000:
            self.problems.append(f"resident memory: {first['resident_mb']} -> {last['resident_mb']} MB")
        if first_memory is not None:
            newest = tracemalloc.take_snapshot().compare_to(first_memory, "traceback")[:6]
            for line in newest:
                print(f"{line.size_diff} bytes in {line.count_diff} blocks", file=sys.stderr)
                print("\n".join(line.traceback.format()), file=sys.stderr)
        for problem in self.problems[:10]:
            print(problem, file=sys.stderr)
        return {
            "python": ".".join(map(str, sys.version_info[:3])),
            "updates": self.done,
            "cycles": number,
            "seconds": round(time.monotonic() - started, 1),
            "statuses": dict(self.statuses),
            "first": first,
            "last": last,
            "problems": len(self.problems),
        }

    def step(self, wanted: str, act: Callable[[], object]) -> None:
        act()
        report = hotswap.sync()
        self.done += 1
        self.statuses[report.status] += 1
        if wanted not in ("any", report.status):
            self.problems.append(f"update {self.done} was to be {wanted}: {report}")

    def measure(self) -> dict[str, object]:
        kinds = census()
        return {
            "objects": sum(kinds.values()),
            "functions": kinds["function"],
            "classes": sum(1 for one in gc.get_objects() if isinstance(one, type)),
            "codes": code_objects(),
            "modules": len(sys.modules),
            "threads": threading.active_count() + native_threads(),
            "descriptors": descriptors(),
            "resident_mb": round(resident(), 1),
        }


def native_threads() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--updates", type=int, default=20_000)
    words.add_argument("--trace", action="store_true", help="say where Python allocated what has grown")
    words.add_argument("--warm-up", type=int, default=20, help="cycles before the first count")
    asked = words.parse_args()
    figures = Soak(asked.updates, asked.trace, asked.warm_up).run()
    print(json.dumps(figures))
    return 1 if figures["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
