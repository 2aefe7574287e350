"""Programs that know nothing of hotswap, and `hotswap attach` beside them."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from live import SECONDS, LiveProcess

PLAIN_PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The interpreter outside of the environment of these tests: hotswap is not installed there."""


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


class Process(LiveProcess):
    """A process that is looked at from outside."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        super().__init__(words, folder, environment, preexec_fn=take_interrupts)

    @property
    def pid(self) -> int:
        return self.process.pid

    def newest(self) -> str:
        """A line that is printed from now on."""
        self.rest()
        return self.line()

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
        return json.loads(self.line(f'"event": "{name}"'))

    def report(self) -> dict[str, Any]:
        """The next report of an update."""
        return json.loads(self.line('"generation"', '"groups"'))

    def ended(self) -> str:
        """Wait for its end; what it printed, from the beginning."""
        self.process.wait(SECONDS)
        self.reader.join(SECONDS)
        return "\n".join(self.rest())
