"""After any edits a live program equals a cold start's, and its state is still there.

The programs and the edits are random and the same in every run; PROPERTY_SEEDS says how many to
play, PROPERTY_SEED with which to begin. `shrink.py` makes a failing one small.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cold import ColdStart
from generate import source
from replay import run_seed

SEEDS = int(os.environ.get("PROPERTY_SEEDS", "80"))
FIRST = int(os.environ.get("PROPERTY_SEED", "0"))


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> Iterator[ColdStart]:
    # Two edits within a second leave the same stamp: cached code would be taken for new.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    process = ColdStart()
    yield process
    process.stop()


def test_edited_programs_equal_cold_starts(cold: ColdStart, tmp_path: Path) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        wrong, programs = run_seed(seed, tmp_path, cold)
        if wrong:
            versions = [
                f"---- version {number}, {name}\n{source(body)}"
                for number, program in enumerate(programs)
                for name, body in program.items()
            ]
            pytest.fail("\n".join([f"seed {seed}", *wrong, *versions]))
