from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from program import Program


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs in this test's folder and ends them after it."""
    programs: list[Program] = []

    def start(*words: str, **options: dict[str, str]) -> Program:
        programs.append(Program(tmp_path, *words, **options))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
