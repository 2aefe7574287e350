"""`python tests/property/shrink.py --seeds 0 500`: looks for a failing seed and makes its program small."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from cold import ColdStart  # noqa: E402
from generate import Program, renamed, source  # noqa: E402
from replay import run_programs, run_seed  # noqa: E402

_numbers = itertools.count(1)


def smaller(programs: list[Program]) -> Iterator[list[Program]]:
    """Sequences with one version, module or statement less."""
    for at in range(len(programs)):
        if len(programs) > 2:
            yield programs[:at] + programs[at + 1 :]
    for module in list(programs[0]):
        if len(programs[0]) > 1:
            yield [{name: body for name, body in program.items() if name != module} for program in programs]
    numbers = {statement.number for program in programs for body in program.values() for statement in body}
    for number in sorted(numbers, reverse=True):
        yield [
            {name: [item for item in body if item.number != number] for name, body in program.items()}
            for program in programs
        ]
    for at in range(1, len(programs)):
        for number in sorted(numbers):
            old = {s.number: s for body in programs[at - 1].values() for s in body}
            changed = {s.number: s for body in programs[at].values() for s in body}
            if number in old and number in changed and old[number].text != changed[number].text:
                yield [
                    program
                    if index < at
                    else {
                        name: [old[number] if s == changed[number] else s for s in body]
                        for name, body in program.items()
                    }
                    for index, program in enumerate(programs)
                ]


def fresh(programs: list[Program]) -> list[Program]:
    """The same under other module names: nothing is left of the last run."""
    modules = list(programs[0])
    prefix = f"prop{os.getpid()}x{next(_numbers)}"
    out = []
    for program in programs:
        new: Program = {}
        for name, body in program.items():
            for module in modules:
                body = [renamed(s, module, f"{prefix}_{module.rpartition('_')[2]}") for s in body]
            new[f"{prefix}_{name.rpartition('_')[2]}"] = body
        out.append(new)
    return out


def shape(wrong: list[str]) -> str:
    """The kind of a failure, without names and numbers."""
    words = wrong[1] if len(wrong) > 1 else ""
    return ":".join(words.split(":")[1:2]).strip().split(" ")[0] if words else ""


def shrink(
    programs: list[Program], root: Path, cold: ColdStart, seed: int, wrong: list[str]
) -> tuple[list[Program], list[str]]:
    kind = shape(wrong)
    end = time.monotonic() + 40
    progress = True
    while progress and time.monotonic() < end:
        progress = False
        for candidate in smaller(programs):
            candidate = fresh(candidate)
            try:
                now = run_programs(candidate, root, cold, seed)
            except Exception:
                continue
            if now and shape(now) == kind:
                programs, wrong, progress = candidate, now, True
                break
    return programs, wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", nargs=2, type=int, default=[0, 300])
    parser.add_argument("--failures", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    cold = ColdStart()
    failures = 0
    end = time.monotonic() + options.seconds
    started = time.monotonic()
    ran = 0
    with tempfile.TemporaryDirectory() as root:
        for seed in range(*options.seeds):
            if time.monotonic() > end or failures >= options.failures:
                break
            ran += 1
            wrong, programs = run_seed(seed, Path(root), cold)
            if not wrong:
                continue
            failures += 1
            programs, wrong = shrink(programs, Path(root), cold, seed, wrong)
            print(f"==== seed {seed}")
            for index, program in enumerate(programs):
                for name, body in program.items():
                    print(f"---- version {index}, {name}")
                    print(source(body))
            print("\n".join(wrong))
    print(f"{ran} seeds, {failures} failures, {time.monotonic() - started:.0f} s")
    cold.stop()


if __name__ == "__main__":
    main()
