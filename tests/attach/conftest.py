from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processes import PLAIN_PYTHON, Attachment, Process, clean_environment

collect_ignore = (
    []
    if sys.platform == "linux" and platform.machine() == "x86_64"
    else [path.name for path in Path(__file__).parent.glob("test_*.py")]
)

Start = Callable[..., Process]
Attach = Callable[..., Attachment]


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Ended after the test, the newest first."""
    started: list[Process] = []
    yield started
    for process in reversed(started):
        process.kill()


@pytest.fixture
def start(tmp_path: Path, processes: list[Process]) -> Start:
    """Writes a program and runs it with the plain interpreter, until it has printed `up`."""

    def run(source: str, *flags: str, python: str = PLAIN_PYTHON, **environment: str) -> Process:
        (tmp_path / "program.py").write_text(source, encoding="utf-8")
        words = [python, "-u", *flags, "program.py"]
        processes.append(Process(words, tmp_path, clean_environment(**environment)))
        processes[-1].line(lambda line: line == "up")
        return processes[-1]

    return run


@pytest.fixture
def attach(tmp_path: Path, processes: list[Process]) -> Attach:
    """Starts `hotswap attach` for a process."""

    def run(target: int | Process, *options: str, **environment: str) -> Attachment:
        pid = target if isinstance(target, int) else target.pid
        attachment = Attachment(pid, tmp_path, *options, **environment)
        processes.append(attachment)
        return attachment

    return run
