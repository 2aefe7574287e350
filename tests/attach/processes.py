"""Programs that know nothing of hotswap, and `hotswap attach` beside them."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Value = TypeVar("Value")
SECONDS = 30.0
PLAIN_PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The interpreter outside of the environment of these tests: hotswap is not installed there."""


def until(ask: Callable[[], Value], holds: Callable[[Value], object], seconds: float = SECONDS) -> Value:
    """Ask again until the answer will do; fails with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if holds(answer):
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s in vain; the last answer was {answer!r}"
        time.sleep(0.01)


def edit(path: Path, old: str, new: str) -> None:
    """Save this file with one place changed, as most editors do."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path}"
    temporary = path.with_name(path.name + "~")
    temporary.write_text(text.replace(old, new), encoding="utf-8")
    temporary.replace(path)


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anything that is meant for hotswap or for this interpreter."""
    own = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HOTSWAP", "PYTHON", "VIRTUAL_ENV", "COVERAGE"))
    }
    return {**own, "NO_COLOR": "1", **more}


def take_interrupts() -> None:
    """Ctrl-C counts again: a shell has what it runs in the background ignore it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Process:
    """A process whose lines can be waited for."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.words = words
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            preexec_fn=take_interrupts,
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self, holds: Callable[[str], object], seconds: float = SECONDS) -> str:
        """The next line that will do."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=0.05)
            except queue.Empty:
                shown = "\n".join(self.seen[-40:])
                assert time.monotonic() < deadline, (
                    f"no such line from {self.words} within {seconds} s:\n{shown}"
                )
                assert self.process.poll() is None or not self.lines.empty(), (
                    f"{self.words} ended with {self.process.poll()}:\n{shown}"
                )
                continue
            self.seen.append(line)
            if holds(line):
                return line

    def newest(self) -> str:
        """A line that is printed from now on."""
        while not self.lines.empty():
            self.seen.append(self.lines.get())
        return self.line(lambda line: line)

    def end(self, number: int = signal.SIGINT) -> int:
        """Send this signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def descriptors(self) -> list[str]:
        folder = f"/proc/{self.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(f"{name} {os.readlink(f'{folder}/{name}')}")
            except FileNotFoundError:
                pass
        return sorted(found)

    def mappings(self) -> int:
        return len(Path(f"/proc/{self.pid}/maps").read_text().splitlines())


class Attachment(Process):
    """`hotswap attach --json`."""

    def __init__(self, target: int, folder: Path, *options: str, **environment: str) -> None:
        words = [sys.executable, "-m", "hotswap", "attach", str(target), "--json", *options]
        kept = {key: os.environ[key] for key in ("PYTHONPATH", "VIRTUAL_ENV") if key in os.environ}
        super().__init__(words, folder, clean_environment(**kept, **environment))

    def event(self, name: str) -> dict[str, Any]:
        """The next event of this name."""
        return json.loads(self.line(lambda line: f'"event": "{name}"' in line))

    def report(self, seconds: float = SECONDS) -> dict[str, Any]:
        """The next report of an update."""
        return json.loads(self.line(lambda line: '"generation"' in line and '"groups"' in line, seconds))

    def ended(self) -> str:
        """Wait for its end; what it printed, from the beginning."""
        self.process.wait(SECONDS)
        until(lambda: self.lines.qsize(), lambda _: self.process.poll() is not None)
        time.sleep(0.05)
        while not self.lines.empty():
            self.seen.append(self.lines.get())
        return "\n".join(self.seen)
