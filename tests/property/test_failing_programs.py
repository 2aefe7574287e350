"""An error at a random step of a random edit of a random program leaves the process as it was.

The programs are those of `test_programs.py`; PROPERTY_SEEDS says how many to play, PROPERTY_SEED with which
to begin. What is compared is the deep fingerprint, so that an object which was replaced by an equal one counts.
"""

from __future__ import annotations

import importlib
import itertools
import os
import random
import sys
from pathlib import Path

import pytest
from generate import Program, source
from replay import sequence

import fingerprint
import hotswap
from hotswap import _hotswap

SEEDS = int(os.environ.get("PROPERTY_SEEDS", "80")) // 2
FIRST = int(os.environ.get("PROPERTY_SEED", "0"))
_numbers = itertools.count(1)


def write(folder: Path, program: Program) -> None:
    for name, body in program.items():
        (folder / f"{name}.py").write_text(source(body))


def starts(program: Program) -> bool:
    """Imports its modules; not every random program can be."""
    try:
        for name in program:
            importlib.import_module(name)
    except Exception:
        return False
    return True


def play(programs: list[Program], chance: random.Random, folder: Path) -> tuple[int, list[str]]:
    """How many updates failed as they were told to, and what was left of them."""
    failed = 0
    for before, program in zip(programs, programs[1:]):
        write(folder, before)
        if hotswap.sync().status == "rejected":
            return failed, []
        for _ in range(2):
            taken = fingerprint.take(folder)
            write(folder, program)
            step = chance.randrange(40)
            _hotswap._fail_at_step(step, chance.random() < 0.2)
            report = hotswap.sync()
            _hotswap._fail_at_step(None)
            if any(group.status == "applied" for group in report.groups):
                break
            if report.status == "rejected":
                failed += report.error is not None and "injected" in report.error.message
                left = fingerprint.differences(taken, fingerprint.take(folder))
                if left:
                    return failed, [f"step {step}: {report}", *left]
            write(folder, before)
            hotswap.sync()
    return failed, []


@pytest.mark.timeout(3600)
def test_a_fault_leaves_a_random_program_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    failed = 0
    for seed in range(FIRST, FIRST + SEEDS):
        chance = random.Random(seed)
        programs = sequence(chance, f"fault{next(_numbers)}", 3)
        folder = tmp_path / str(seed)
        folder.mkdir()
        write(folder, programs[0])
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        session = hotswap.watch(folder)
        session.pause()
        try:
            if starts(programs[0]):
                hotswap.sync()
                more, wrong = play(programs, chance, folder)
            else:
                more, wrong = 0, []
        finally:
            session.stop()
            sys.path.remove(str(folder))
            for name in programs[0]:
                sys.modules.pop(name, None)
        failed += more
        versions = [f"---- {name}\n{source(body)}" for each in programs for name, body in each.items()]
        assert not wrong, "\n".join([f"seed {seed}", *wrong, *versions])
    assert failed > SEEDS // 2
