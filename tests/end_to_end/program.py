"""A program under `hotswap run`, and how tests save files and wait."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Value = TypeVar("Value")
SECONDS = 30.0


def until(ask: Callable[[], Value], holds: Callable[[Value], object], seconds: float = SECONDS) -> Value:
    """Ask again until the answer will do; fails with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if holds(answer):
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s in vain; the last answer was {answer!r}"
        time.sleep(0.01)


def search_path(first: Path) -> str:
    """A PYTHONPATH with this folder before what there is."""
    return os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))


def save(path: Path, text: str) -> None:
    """Save as most editors do: a temporary file, renamed over the old one."""
    temporary = path.with_name(path.name + "~")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def edit(path: Path, old: str, new: str) -> None:
    """Save this file with one place changed."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path}"
    save(path, text.replace(old, new))


class Program:
    """A program under `hotswap run`; what it and hotswap print can be waited for."""

    def __init__(self, folder: Path, *words: str, environment: dict[str, str] | None = None) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "hotswap", "run", *words],
            cwd=folder,
            env={**clean, "NO_COLOR": "1", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self, *words: str, seconds: float = SECONDS) -> str:
        """The next line with all these words in it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=0.05)
            except queue.Empty:
                if self.process.poll() is None and time.monotonic() < deadline:
                    continue
                printed = "\n".join(self.seen)
                pytest.fail(
                    f"no line with {words} within {seconds} s; exit code {self.process.poll()}:\n{printed}"
                )
            self.seen.append(line)
            if all(word in line for word in words):
                return line

    def say(self, text: str) -> None:
        """One line for the program's stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """End it by end of input; returns its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
