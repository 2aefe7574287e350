from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from running import Running


@pytest.fixture
def runtime() -> Iterator[str]:
    """A runtime directory of this test's own, with a short name."""
    folder = tempfile.mkdtemp(prefix="hotswap-test-")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(tmp_path: Path, runtime: str) -> Iterator[Callable[..., Running]]:
    """Starts programs in this test's folder and ends them, and what they have started, after it."""
    programs: list[Running] = []

    def start(*words: str, **variables: str) -> Running:
        programs.append(Running(tmp_path, runtime, *words, **variables))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
