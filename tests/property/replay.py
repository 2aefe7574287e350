"""Plays a sequence of programs in a live process and compares it with cold starts."""

from __future__ import annotations

import importlib
import itertools
import random
import re
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import describe
from cold import ColdStart
from generate import Generator, Program, source

import hotswap

_numbers = itertools.count(1)
BROKEN = ["1 / 0", "def (", "import no_such_module_at_all", "raise SystemExit(3)"]


def sequence(chance: random.Random, prefix: str, edits: int) -> list[Program]:
    """A program and its later versions."""
    generator = Generator(chance, prefix, sys.version_info[:2])
    programs = [generator.program()]
    for _ in range(edits):
        programs.append(generator.edit(programs[-1]))
    return programs


class Replay:
    """One program on disk, live in this process."""

    def __init__(self, folder: Path, cold: ColdStart) -> None:
        self.folder = folder
        self.cold = cold
        self.planted: list[tuple[Any, str, str]] = []
        self.held: dict[tuple[str, str], Any] = {}
        self.stale: set[str] = set()
        self.modules: list[str] = []

    def play(self, programs: list[Program], chance: random.Random) -> list[str]:
        """Goes through the programs that start cold; returns what is wrong after the first that is."""
        modules = self.modules = list(programs[0])
        self.write(programs[0])
        if isinstance(self.cold.describe(str(self.folder), modules), str):
            return []
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        session = hotswap.watch(self.folder)
        session.pause()
        log: list[str] = []
        try:
            for name in modules:
                importlib.import_module(name)
            hotswap.sync()
            before = programs[0]
            for number, program in enumerate(programs[1:], 1):
                self.plant(before)
                if chance.random() < 0.2:
                    broken = {name: list(body) for name, body in program.items()}
                    text = source(broken[modules[-1]]) + chance.choice(BROKEN) + "\n"
                    self.write(program)
                    (self.folder / f"{modules[-1]}.py").write_text(text)
                    report = hotswap.sync()
                    log.append(f"broken: {report}")
                    # Another module may have been updated all the same.
                    self.note_stale(report)
                self.write(program)
                expected = self.cold.describe(str(self.folder), modules)
                if isinstance(expected, str):
                    self.write(before)
                    hotswap.sync()
                    continue
                report = hotswap.sync()
                log.append(str(report))
                if any(group.status == "held" for group in report.groups):
                    # An empty file is taken for one that is being written.
                    self.write(before)
                    hotswap.sync()
                    continue
                wrong = self.check(report, expected, before, program, modules)
                if wrong:
                    return [f"step {number}", *wrong, *log]
                before = program
        finally:
            session.stop()
            sys.path.remove(str(self.folder))
            for name in modules:
                sys.modules.pop(name, None)
        return []

    def write(self, program: Program) -> None:
        for name, body in program.items():
            path = self.folder / f"{name}.py"
            text = source(body)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def check(
        self, report: hotswap.Report, expected: Any, before: Program, program: Program, modules: list[str]
    ) -> list[str]:
        if report.status == "rejected":
            return [f"rejected although it starts cold: {report.error}"]
        self.note_stale(report)
        self.note_aliases()
        self.note_dependants(program)
        without = frozenset(self.stale)
        if without:
            expected = self.cold.describe(str(self.folder), modules, without)
        live = describe.describe_modules(modules, without)
        wrong = describe.differences(live, expected)
        wrong += self.check_planted(before, program)
        wrong += self.check_held(before, program)
        return wrong

    def note_stale(self, report: hotswap.Report) -> None:
        """Names that the report admits to be old; they may differ until they are made again."""
        for change in report.changes:
            for name in re.findall(r"[\w.]+", change.qualname):
                undone = change.action == "removed" and "is not undone" in change.reason
                if change.action in ("stale", "kept", "not applied") or undone:
                    # Those that import the name hold the same.
                    self.stale.update(f"{other}.{name.split('.')[0]}" for other in self.modules)

    def note_aliases(self) -> None:
        """Other names for what a stale one holds."""
        held = {}
        for module in self.modules:
            for name, value in vars(sys.modules[module]).items():
                held.setdefault(id(value), []).append((f"{module}.{name}", value))
        for names in held.values():
            if isinstance(names[0][1], (dict, list, set)) and self.stale.intersection(n for n, _ in names):
                self.stale.update(name for name, _ in names)

    def note_dependants(self, program: Program) -> None:
        """What reads a stale value when it runs."""
        statements = [statement for body in program.values() for statement in body]
        grown = True
        while self.stale and grown:
            names = {name.rpartition(".")[2] for name in self.stale}
            before = len(self.stale)
            for statement in statements:
                text = statement.text
                if statement.make in ("function", "decorator"):
                    # A body runs when it is called.
                    text = text[: text.index("):") if "):" in text else text.index(":\n")]
                if names.intersection(re.findall(r"\w+", text)):
                    self.stale.update(f"{name}.{given}" for name in self.modules for given in statement.gives)
            grown = len(self.stale) > before

    def plant(self, program: Program) -> None:
        """State of the program: entries in containers, attributes of functions, classes, instances."""
        self.planted = []
        self.held = {}
        for module, body in program.items():
            namespace = vars(sys.modules[module])
            for statement in body:
                for name, sort in statement.gives.items():
                    value = namespace.get(name)
                    word = f"{describe.PLANTED}{next(_numbers)}"
                    if statement.make == "imports":
                        continue
                    if sort == "state":
                        if isinstance(value, dict):
                            value[word] = word
                        elif isinstance(value, list):
                            value.append(word)
                        elif isinstance(value, set):
                            value.add(word)
                        else:
                            continue
                    elif sort == "inst" or isinstance(value, (types.FunctionType, type)):
                        try:
                            setattr(value, word, word)
                        except (AttributeError, TypeError):
                            continue
                        self.held[module, name] = value
                    else:
                        continue
                    self.planted.append((statement, name, word))

    def check_planted(self, before: Program, program: Program) -> list[str]:
        """What was planted in what did not change is still there."""
        wrong = []
        for module, body in program.items():
            texts = {statement.text for statement in before[module]}
            namespace = vars(sys.modules[module])
            bound = [name for other in body for name in other.gives]
            for statement, name, word in self.planted:
                here = [other for other in body if other == statement]
                # An alias of something that was made anew holds the new one.
                if (
                    re.fullmatch(r"\w+ = \w+", statement.text)
                    or not here
                    or statement.text not in texts
                    or name not in namespace
                    or bound.count(name) > 1
                ):
                    continue
                value = namespace[name]
                there = (
                    word in value
                    if isinstance(value, (dict, list, set))
                    else word in getattr(value, "__dict__", ())
                )
                if not there:
                    wrong.append(f"{module}.{name}: the state of the program is lost")
        return wrong

    def check_held(self, before: Program, program: Program) -> list[str]:
        """A definition that only changed its body is the object that others hold."""
        wrong = []
        for module, body in program.items():
            namespace = vars(sys.modules[module])
            bound = [name for other in body for name in other.gives]
            for statement in body:
                if statement.make not in ("function", "klass", "dataclass", "enumeration"):
                    continue
                old = [other for other in before[module] if other.number == statement.number]
                if not old or old[0].make != statement.make or "\n@" in f"\n{old[0].text}{statement.text}":
                    continue
                for name in statement.gives:
                    held = self.held.get((module, name))
                    if held is None or name not in old[0].gives or bound.count(name) > 1:
                        continue
                    if not isinstance(held, type(namespace.get(name))):
                        continue
                    if namespace.get(name) is not held:
                        wrong.append(f"{module}.{name}: it is another object than before")
        return wrong


def run_seed(seed: int, root: Path, cold: ColdStart, edits: int = 5) -> tuple[list[str], list[Program]]:
    """What is wrong with the program of a seed, and its versions."""
    prefix = f"prop{next(_numbers)}"
    chance = random.Random(seed)
    programs = sequence(chance, prefix, edits)
    return run_programs(programs, root, cold, seed), programs


def run_programs(programs: list[Program], root: Path, cold: ColdStart, seed: int) -> list[str]:
    folder = root / f"run{next(_numbers)}"
    folder.mkdir()
    try:
        return Replay(folder, cold).play(programs, random.Random(seed))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
