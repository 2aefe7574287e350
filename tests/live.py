"""Programs that run while a test looks on: what they print, and files that are saved beside them."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union

Value = TypeVar("Value")
Wanted = Union[str, Callable[[str], object]]
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


class LiveProcess:
    """A process whose lines, of both streams, can be waited for."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], **options: Any
    ) -> None:
        self.words = list(words)
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            self.words,
            cwd=folder,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            **{"stdin": subprocess.PIPE, **options},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self, *wanted: Wanted, seconds: float = SECONDS) -> str:
        """The next line that holds each of these words, and for which each of these functions says yes."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=0.05)
            except queue.Empty:
                # Its last lines may still be on their way when it has ended.
                going_on = self.process.poll() is None or self.reader.is_alive() or not self.lines.empty()
                if going_on and time.monotonic() < deadline:
                    continue
                printed = "\n".join(self.seen[-40:])
                raise AssertionError(
                    f"no line with {wanted} from {self.words} within {seconds} s; "
                    f"exit code {self.process.poll()}:\n{printed}"
                ) from None
            self.seen.append(line)
            if all(each in line if isinstance(each, str) else each(line) for each in wanted):
                return line

    def rest(self) -> list[str]:
        """Every line so far."""
        while not self.lines.empty():
            self.seen.append(self.lines.get())
        return self.seen
