"""Random edits of random loops while they run, beside an interpreter of the same programs and edits.

The interpreter knows where a call may change its version: at the jump back of a loop. It goes on from there
with the variables, iterators and managers it has. PROPERTY_SEEDS says how many programs to play, PROPERTY_SEED
with which to begin; each is edited at most five times.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

SEEDS = int(os.environ.get("PROPERTY_SEEDS", "80"))
FIRST = int(os.environ.get("PROPERTY_SEED", "0"))
EDITS = 5
LONGEST = 300
NAMES = "abcd"
MOVES = sys.version_info < (3, 15)

Statement = dict[str, Any]
Block = list[Statement]


class Generator:
    """Makes programs, and later versions of them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ids = 0

    def expression(self) -> str:
        left, right = (self.chance.choice(NAMES) for _ in range(2))
        shape = self.chance.choice(
            ("{0} + {1}", "{0} * 2 - {1}", "({0} - {1}) % 7", "-{0}", "{2}", "[{0}, {1}][{0} % 2]")
        )
        return shape.format(left, right, self.chance.randrange(9))

    def simple(self) -> Statement:
        kind = self.chance.choice(("set", "set", "out", "turn", "turn", "lambda"))
        return {"kind": kind, "name": self.chance.choice(NAMES), "value": self.expression()}

    def block(self, depth: int, loop: bool) -> Block:
        block = [self.simple() for _ in range(self.chance.randrange(1, 4))]
        if depth:
            for _ in range(self.chance.choice((0, 1, 1, 2))):
                block.insert(self.chance.randrange(len(block) + 1), self.compound(depth - 1, loop))
        if loop and self.chance.random() < 0.15:
            block.insert(
                self.chance.randrange(len(block) + 1),
                {"kind": self.chance.choice(("break", "continue")), "value": self.expression() + " == 3"},
            )
        return block

    def compound(self, depth: int, loop: bool) -> Statement:
        self.ids += 1
        kind = self.chance.choice(("for", "for", "while", "while", "if", "try", "with"))
        inside = loop or kind in ("for", "while")
        statement: Statement = {"kind": kind, "id": self.ids, "body": self.block(depth, inside)}
        statement["name"] = self.chance.choice(NAMES)
        statement["value"] = self.expression()
        statement["count"] = self.chance.randrange(2, 6)
        if kind in ("if", "try"):
            statement["other"] = self.block(0, loop and kind == "if")
        return statement

    def program(self) -> Block:
        return [self.compound(2, False), *self.block(2, False)]

    def edited(self, block: Block) -> Block:
        """Another version: compound statements stay where they are, everything else may differ."""
        new: Block = []
        for statement in block:
            if "id" not in statement:
                if self.chance.random() < 0.2:
                    continue
                if self.chance.random() < 0.3 and statement["kind"] not in ("break", "continue"):
                    statement = self.simple()
                new.append(statement)
                continue
            statement = dict(statement)
            for part in ("body", "other"):
                if part in statement:
                    statement[part] = self.edited(statement[part])
            if self.chance.random() < 0.2:
                statement["value"] = self.expression()
                statement["count"] = self.chance.randrange(2, 6)
            new.append(statement)
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            new.insert(self.chance.randrange(len(new) + 1), self.simple())
        return new


def render(block: Block, depth: int = 1) -> list[str]:
    pad = "    " * depth
    lines: list[str] = []
    for each in block:
        kind, body = each["kind"], render(each["body"], depth + 1) if "body" in each else []
        if kind == "set":
            lines.append(f"{pad}{each['name']} = {each['value']}")
        elif kind == "out":
            lines.append(f"{pad}out.append({each['value']})")
        elif kind == "lambda":
            lines.append(f"{pad}out.append((lambda: {each['value']})())")
        elif kind == "turn":
            lines.append(f"{pad}turn()")
        elif kind in ("break", "continue"):
            lines += [f"{pad}if {each['value']}:", f"{pad}    {kind}"]
        elif kind == "for":
            lines += [f"{pad}for {each['name']} in span({each['count']}, {each['id']}):", *body]
        elif kind == "while":
            counter = f"n{each['id']}"
            lines += [
                f"{pad}{counter} = 0",
                f"{pad}while {counter} < {each['count']}:",
                f"{pad}    {counter} += 1",
                *body,
            ]
        elif kind == "if":
            # Never a constant, so that no branch is left out by the compiler.
            lines += [
                f"{pad}if {each['value']} + a * 0:",
                *body,
                f"{pad}else:",
                *(render(each["other"], depth + 1)),
            ]
        elif kind == "try":
            lines += [f"{pad}try:", *body, f"{pad}finally:", *(render(each["other"], depth + 1))]
        elif kind == "with":
            lines += [f"{pad}with manager(out):", *body]
    return lines or [f"{pad}pass"]


def source(block: Block) -> str:
    head = [
        "import contextlib",
        "@contextlib.contextmanager",
        "def manager(out):",
        "    out.append('in')",
        "    yield",
        "    out.append('out')",
        # What tells two loops apart, as other names do in programs of people.
        "def span(count, number):",
        "    return range(count)",
        "def work(out, turn):",
        "    a, b, c, d = 1, 2, 3, 4",
    ]
    return "\n".join([*head, *render(block), "    return (a, b, c, d)"]) + "\n"


class Interpreter:
    """Runs a program, and takes up another version of it at the next jump back."""

    def __init__(self, program: Block, turn: Callable[[], None]) -> None:
        self.turn = turn
        self.latest = self.program = program
        self.values: dict[str, Any] = {"a": 1, "b": 2, "c": 3, "d": 4}
        self.out: list[Any] = []

    def run(self) -> Any:
        self.block(lambda: self.program)
        return tuple(self.values[name] for name in NAMES)

    def value(self, text: str) -> Any:
        return eval(text, {}, self.values)

    def jump_back(self) -> None:
        self.program = self.latest

    def find(self, number: int) -> Statement:
        """A compound statement in the version that runs now."""

        def search(block: Block) -> Iterator[Statement]:
            for each in block:
                if each.get("id") == number:
                    yield each
                for part in ("body", "other"):
                    yield from search(each.get(part, []))

        return next(search(self.program))

    def block(self, current: Callable[[], Block]) -> str:
        at = 0
        while at < len(current()):
            each = current()[at]
            version = self.program
            signal = self.statement(each)
            if signal:
                return signal
            if self.program is not version:
                at = next(place for place, other in enumerate(current()) if other.get("id") == each["id"])
            at += 1
        return ""

    def statement(self, each: Statement) -> str:
        kind = each["kind"]
        if kind == "set":
            self.values[each["name"]] = self.value(each["value"])
        elif kind in ("out", "lambda"):
            self.out.append(self.value(each["value"]))
        elif kind == "turn":
            self.turn()
        elif kind in ("break", "continue"):
            return kind if self.value(each["value"]) else ""
        else:
            return self.compound(kind, each["id"])
        return ""

    def compound(self, kind: str, number: int) -> str:
        body = lambda: self.find(number)["body"]  # noqa: E731
        if kind == "for":
            for item in range(self.find(number)["count"]):
                self.values[self.find(number)["name"]] = item
                if self.block(body) == "break":
                    break
                self.jump_back()
        elif kind == "while":
            self.values[f"n{number}"] = 0
            self.loop(number, body)
        elif kind == "if":
            part = "body" if self.value(self.find(number)["value"]) else "other"
            return self.block(lambda: self.find(number)[part])
        elif kind == "try":
            other = lambda: self.find(number)["other"]  # noqa: E731
            try:
                signal = self.block(body)
            except Stopped:
                self.block(other)
                raise
            return self.block(other) or signal
        elif kind == "with":
            self.out.append("in")
            signal = self.block(body)
            self.out.append("out")
            return signal
        return ""

    def loop(self, number: int, body: Callable[[], Block]) -> None:
        counter = f"n{number}"

        def holds() -> bool:
            return bool(self.values[counter] < self.find(number)["count"])

        again = holds()
        while again:
            self.values[counter] += 1
            signal = self.block(body)
            if signal == "break":
                return
            if signal == "continue" or not (3, 10) <= sys.version_info < (3, 14):
                # It jumps to the condition at the head, which the new version answers; on
                # CPython 3.9 and from 3.14 on the end of the body does so too.
                self.jump_back()
                again = holds()
            else:
                # The condition at the foot is answered by the version that is left.
                again = holds()
                if again:
                    self.jump_back()


class Stopped(Exception):
    """The program ran for too long."""


def play(seed: int, folder: Path) -> tuple[int, int]:
    """How often the program was edited while it ran, and how many turns there were."""
    chance = random.Random(seed)
    maker = Generator(chance)
    versions = [maker.program()]
    while len(versions) <= EDITS:
        versions.append(maker.edited(versions[-1]))
    times = sorted(chance.sample(range(1, 16), EDITS))
    name = f"loops_{seed}"
    file = folder / f"{name}.py"
    file.write_text(source(versions[0]))
    importlib.invalidate_caches()
    module: Any = importlib.import_module(name)
    hotswap.sync()

    def turns(take_up: Callable[[Block], None]) -> Callable[[], None]:
        state = {"turn": 0, "version": 0}

        def turn() -> None:
            state["turn"] += 1
            if state["turn"] > LONGEST:
                raise Stopped
            if state["turn"] in times:
                state["version"] += 1
                take_up(versions[state["version"]])

        turn.state = state  # type: ignore[attr-defined]
        return turn

    def save(program: Block) -> None:
        text = source(program)
        if file.read_text() != text:
            file.write_text(text)
            report = hotswap.sync()
            assert report.status == "applied", report

    interpreter = Interpreter(versions[0], turns(lambda program: setattr(interpreter, "latest", program)))
    out: list[Any] = []
    live_turn = turns(save)
    results: list[Any] = []
    for run in (interpreter.run, lambda: module.work(out, live_turn)):
        with contextlib.suppress(Stopped):
            results.append(run())
    state = live_turn.state  # type: ignore[attr-defined]
    del sys.modules[name]
    told = "\n".join(source(version) for version in versions[: state["version"] + 1])
    assert (out, results[1:]) == (interpreter.out, results[:1]), (
        f"seed {seed}, edits in turns {times}\n{told}"
    )
    return state["version"], state["turn"]


@pytest.mark.skipif(not MOVES, reason="calls are moved up to CPython 3.14")
def test_running_loops_take_random_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    edits = 0
    with hotswap.watch(tmp_path) as session:
        session.pause()
        for seed in range(FIRST, FIRST + SEEDS):
            edits += play(seed, tmp_path)[0]
        assert edits >= SEEDS, "the programs hardly ran"
        assert not session.status()["pending"]
