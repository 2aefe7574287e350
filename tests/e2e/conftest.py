"""Real programs, started as a user starts them, edited on disk while they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SECONDS = 30.0


def wait_for(condition: Callable[[], Any], what_happened: Callable[[], object], seconds: float = SECONDS) -> Any:
    """Wait until the condition is true and return its value, or fail and say what did happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain; what happened:\n{what_happened()}", pytrace=True)
        time.sleep(0.01)


def edit(path: Path, *replacements: tuple[str, str]) -> None:
    """Change a file as an editor does: written beside it and moved over it."""
    text = path.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        text = text.replace(old, new)
    beside = path.with_name(path.name + "~")
    beside.write_text(text)
    beside.replace(path)


def copy_library(name: str, folder: Path) -> Path:
    """A copy of an installed package that the test may edit; returns the package's folder."""
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    target = folder / name
    shutil.copytree(Path(spec.origin).parent, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def environment(*first: Path) -> dict[str, str]:
    """The environment of a program that looks for packages in these folders first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOTSWAP", "PYTHON"))}
    kept["PYTHONPATH"] = os.pathsep.join(map(str, first))
    kept["PYTHONUNBUFFERED"] = "1"
    return kept


class Program:
    """A program under `hotswap run`, and everything it wrote."""

    def __init__(self, words: list[str], folder: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hotswap", "run", *words],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.out: list[str] = []
        self.err: list[str] = []
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))

    def __str__(self) -> str:
        state = "running" if self.process.poll() is None else f"ended with {self.process.returncode}"
        return "\n".join([f"program {self.process.pid} {state}", "stdout:", *self.out, "stderr:", *self.err])

    def wait_for_line(self, text: str, lines: list[str], start: int = 0) -> str:
        """The first line with this text, from the given number on."""
        return wait_for(lambda: next((line for line in lines[start:] if text in line), None), lambda: self)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(*words: str, env: dict[str, str]) -> Program:
        programs.append(Program(list(words), tmp_path, env))
        return programs[-1]

    yield start
    for program in programs:
        program.end()
