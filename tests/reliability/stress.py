"""Threads and tasks look at a program without pause while it is updated; none may ever see half of an update.

python tests/reliability/stress.py [--updates 1000] [--workers 8] [--modes threads,tasks,pairs]

Three ways of looking, each right under a promise of its own:

threads  Every read of every part (functions, methods, properties, closures, decorated functions, class
         attributes, constants, in two modules of one save) gives a number that never goes back, and one
         call of C, which no other thread can interrupt, gives the same number for all parts. Updates are
         committed by `sync` here and by the background thread, in turn. Rejected versions are never seen.
tasks    The same from asyncio tasks, with updates from the loop's own thread and from another.
pairs    Functions that call one another and change their signatures together, under
         `consistency="quiescent"`: each call gives one version, and no TypeError.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hotswap
from program import sources, version_of

BROKEN = {"syntax": "\ndef (:\n", "statement": "\nraise RuntimeError('not this version')\n"}
SECONDS_PER_UPDATE = 30.0


class Seen:
    """What one worker has seen. Numbers may only grow, and those of refused versions never come."""

    def __init__(self, problems: list[str], refused: set[int]) -> None:
        self.newest = 0
        self.reads = 0
        self.versions = 0
        self.problems = problems
        self.refused = refused

    def read(self, what: str, value: object) -> int:
        number = version_of(value)
        self.reads += 1
        if number < self.newest:
            self.problems.append(f"{what} gave {number} after {self.newest} was seen")
        elif number > self.newest:
            self.versions += 1
            self.newest = number
            if number in self.refused:
                self.problems.append(f"{what} gave {number}, which was refused")
        return number


class Parts:
    """Everything of the two modules that tells its version, held from before the first update."""

    def __init__(self) -> None:
        import far
        import near

        part, small = near.Part(), near.Small()
        inner = near.outer()
        held_method = part.method
        self.near = near
        self.coroutine = near.coroutine
        self.calls: list[tuple[str, Callable[[], object]]] = [
            ("far", far.far),
            ("near", near.near),
            ("plain", near.plain),
            ("inner", inner),
            ("decorated", near.decorated),
            ("short", near.short),
            ("borrowed", near.borrowed),
            ("Part.method", held_method),
            ("Part.value", lambda: part.value),
            ("Part.static", part.static),
            ("Part.made", near.Part.made),
            ("Part.level", lambda: near.Part.level),
            ("part.level", lambda: part.level),
            ("Small.method", small.method),
            ("far.LIMIT", lambda: far.LIMIT),
            ("near.LIMIT", lambda: near.LIMIT),
            ("far.TABLE", lambda: far.TABLE["version"]),
        ]
        functions = [
            far.far,
            far.callee,
            near.plain,
            inner,
            near.decorated.__wrapped__,
            near.short,
            near.coroutine,
            near.Part.method,
            near.Part.value.fget,
            near.Part.static,
            near.Part.made.__func__,
            near.Small.method,
            near.pair,
        ]
        attributes = [
            (far, "LIMIT"),
            (near, "LIMIT"),
            (near.Part, "level"),
            (near.near, "__defaults__"),
            *((function, "__code__") for function in functions),
        ]
        self.objects = [one for one, _ in attributes]
        self.names = [name for _, name in attributes]

    def at_once(self) -> tuple[object, ...]:
        """All of them at one moment: no bytecode runs inside this call, so no thread gets in between."""
        return tuple(map(getattr, self.objects, self.names))

    def look(self, seen: Seen, choose: random.Random) -> None:
        for name, call in choose.sample(self.calls, 5):
            seen.read(name, call())
        self.look_at_once(seen)

    def look_at_once(self, seen: Seen) -> None:
        numbers = [version_of(value) for value in self.at_once()]
        if len(set(numbers)) != 1:
            told = dict(zip((getattr(one, "__name__", "?") for one in self.objects), numbers))
            seen.problems.append(f"two versions at one moment: {told}")
        seen.read("all at once", self.at_once()[0])


class Editor:
    """Saves one version after another; some are refused and must leave no trace."""

    def __init__(self, folder: Path, session: hotswap.Session, updates: int) -> None:
        self.folder = folder
        self.session = session
        self.updates = updates
        self.refused: set[int] = set()
        self.held = 0
        self.applied = 0

    def run(self) -> None:
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        for number in range(1, self.updates + 1):
            if number % 7 == 0:
                self.refused.add(number)
                broken = BROKEN["syntax" if number % 2 else "statement"]
                self.write(number, broken)
                report = hotswap.sync()
                if report.status != "rejected":
                    raise AssertionError(f"version {number} should have been refused: {report}")
            elif number % 3 == 0:
                self.in_background(number)
            else:
                self.write(number)
                self.in_this_thread(number)
            yield

    def in_this_thread(self, number: int) -> None:
        deadline = time.monotonic() + SECONDS_PER_UPDATE
        while True:
            report = hotswap.sync()
            if report.status == "applied":
                self.applied += 1
                return
            if report.status != "held" or time.monotonic() > deadline:
                raise AssertionError(f"version {number}: {report}\n{report.to_dict()}")
            self.held += 1

    def in_background(self, number: int) -> None:
        before = self.session.generation
        self.write(number)
        self.session.resume()
        deadline = time.monotonic() + SECONDS_PER_UPDATE
        while self.session.generation == before:
            if time.monotonic() > deadline:
                raise AssertionError(f"version {number} was not applied: {self.session.history[-1:]}")
            last = self.session.history[-1:]
            if last and last[0].status == "held" and last[0].generation == before:
                self.held += 1
                return self.in_this_thread(number)
            time.sleep(0.001)
        self.applied += 1

    def write(self, number: int, broken: str = "") -> None:
        # Both files belong to one save; without the pause a busy machine could make two of it.
        self.session.pause()
        for name, text in sources(number).items():
            path = self.folder / name
            temporary = path.with_suffix(".tmp")
            temporary.write_text(text + broken)
            temporary.replace(path)


def threads(editor: Editor, parts: Parts, workers: int) -> dict[str, int]:
    problems: list[str] = []
    stopping = threading.Event()
    seen = [Seen(problems, editor.refused) for _ in range(workers)]

    def work(mine: Seen, seed: int) -> None:
        choose = random.Random(seed)
        try:
            while not stopping.is_set() and not problems:
                parts.look(mine, choose)
        except BaseException as error:
            problems.append(f"a worker ended with {error!r}")

    running = [threading.Thread(target=work, args=(mine, seed)) for seed, mine in enumerate(seen)]
    for thread in running:
        thread.start()
    try:
        editor.run()
    finally:
        stopping.set()
        for thread in running:
            thread.join()
    return outcome(editor, parts, seen, problems)


def tasks(editor: Editor, parts: Parts, workers: int) -> dict[str, int]:
    problems: list[str] = []
    seen = [Seen(problems, editor.refused) for _ in range(workers * 4)]

    async def work(mine: Seen, seed: int, stopping: asyncio.Event) -> None:
        choose = random.Random(seed)
        while not stopping.is_set() and not problems:
            parts.look(mine, choose)
            # It suspends nowhere, so it ends in the version that it began in.
            mine.read("coroutine", await parts.coroutine())
            await asyncio.sleep(0)

    async def main() -> None:
        stopping = asyncio.Event()
        running = [asyncio.ensure_future(work(mine, seed, stopping)) for seed, mine in enumerate(seen)]
        loop = asyncio.get_running_loop()
        steps = editor.steps()

        def step() -> bool:
            return next(steps, steps) is not steps

        try:
            number = 0
            going = True
            while going:
                number += 1
                # In turn from the thread of the loop, where tasks stand between two steps, and beside it.
                going = step() if number % 2 and number % 3 else await loop.run_in_executor(None, step)
                await asyncio.sleep(0)
        finally:
            stopping.set()
            for result in await asyncio.gather(*running, return_exceptions=True):
                if result is not None:
                    problems.append(f"a task ended with {result!r}")

    asyncio.run(main())
    return outcome(editor, parts, seen, problems)


def pairs(editor: Editor, parts: Parts, workers: int) -> dict[str, int]:
    problems: list[str] = []
    stopping = threading.Event()
    seen = [Seen(problems, editor.refused) for _ in range(workers)]
    pair = parts.near.pair

    def work(mine: Seen) -> None:
        try:
            while not stopping.is_set() and not problems:
                numbers = [version_of(value) for value in pair()]
                if len(set(numbers)) != 1:
                    problems.append(f"one call saw {numbers}")
                mine.read("pair", f"v{numbers[0]}")
                # There must be moments when nobody is inside, or a quiescent update waits for ever.
                time.sleep(0.0005)
        except BaseException as error:
            problems.append(f"a worker ended with {error!r}")

    running = [threading.Thread(target=work, args=(mine,)) for mine in seen]
    for thread in running:
        thread.start()
    try:
        editor.run()
    finally:
        stopping.set()
        for thread in running:
            thread.join()
    return outcome(editor, parts, seen, problems)


def outcome(editor: Editor, parts: Parts, seen: list[Seen], problems: list[str]) -> dict[str, int]:
    last = max(set(range(editor.updates + 1)) - editor.refused)
    numbers = {version_of(value) for value in parts.at_once()}
    numbers |= {version_of(call()) for _, call in parts.calls}
    if numbers != {last}:
        problems.append(f"in the end there is {sorted(numbers)}, not {last}")
    for problem in problems[:10]:
        print(problem, file=sys.stderr)
    return {
        "applied": editor.applied,
        "refused": len(editor.refused),
        "held": editor.held,
        "reads": sum(one.reads for one in seen),
        "versions_seen_by_a_worker": sum(one.versions for one in seen) // len(seen),
        "problems": len(problems),
    }


MODES: dict[str, tuple[Callable[[Editor, Parts, int], dict[str, int]], str]] = {
    "threads": (threads, "auto"),
    "tasks": (tasks, "auto"),
    "pairs": (pairs, "quiescent"),
}


def run(mode: str, updates: int, workers: int) -> dict[str, Any]:
    work, consistency = MODES[mode]
    for name in ("near", "far"):
        sys.modules.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        sys.path.insert(0, str(root))
        for name, text in sources(0).items():
            (root / name).write_text(text)
        session = hotswap.watch(root, consistency=consistency)
        try:
            started = time.monotonic()
            figures = work(Editor(root, session, updates), Parts(), workers)
            seconds = round(time.monotonic() - started, 1)
        finally:
            session.stop()
            sys.path.remove(str(root))
    version = ".".join(map(str, sys.version_info[:3]))
    return {"mode": mode, "python": version, "updates": updates, "seconds": seconds, **figures}


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--updates", type=int, default=1000)
    words.add_argument("--workers", type=int, default=8)
    words.add_argument("--modes", default=",".join(MODES))
    asked = words.parse_args()
    # Threads change places as often as they can.
    sys.setswitchinterval(1e-6)
    os.environ.pop("HOTSWAP", None)
    failed = False
    for mode in asked.modes.split(","):
        figures = run(mode, asked.updates, asked.workers)
        print(json.dumps(figures), flush=True)
        failed |= bool(figures["problems"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
