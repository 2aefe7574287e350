"""A program under `hotswap run`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from live import SECONDS, LiveProcess


def search_path(first: Path) -> str:
    """A PYTHONPATH with this folder before what there is."""
    return os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))


class Program(LiveProcess):
    """A program under `hotswap run`; what it and hotswap print can be waited for."""

    def __init__(self, folder: Path, *words: str, environment: dict[str, str] | None = None) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
        super().__init__(
            [sys.executable, "-u", "-m", "hotswap", "run", *words],
            folder,
            {**clean, "NO_COLOR": "1", **(environment or {})},
        )

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
