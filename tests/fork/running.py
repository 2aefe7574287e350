"""A program that runs under hotswap with workers: its answers, and what `hotswap status` says of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from live import SECONDS, LiveProcess, until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running(LiveProcess):
    """A command in its own group of processes; everything in it ends with the test."""

    def __init__(self, folder: Path, runtime: str, *words: str, **variables: str) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
        self.environment = {**clean, "NO_COLOR": "1", "XDG_RUNTIME_DIR": runtime, **variables}
        self.folder = folder
        super().__init__(
            [sys.executable, "-u", *words],
            folder,
            self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def hotswap(self, *words: str, code: int = 0) -> str:
        """What a `hotswap` command on this program prints."""
        done = subprocess.run(
            [sys.executable, "-m", "hotswap", *words, str(self.process.pid)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def processes(self, number: int) -> list[dict[str, Any]]:
        """What they say of themselves, as soon as there are so many."""

        def ask() -> list[dict[str, Any]]:
            done = subprocess.run(
                [sys.executable, "-m", "hotswap", "status", "--json", str(self.process.pid)],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
            )
            return json.loads(done.stdout)["processes"] if done.returncode == 0 else []

        return until(ask, lambda found: len(found) == number)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask the first process to end; its exit code, when all its output is read."""
        self.process.send_signal(by)
        code = self.process.wait(SECONDS)
        self.reader.join(SECONDS)
        self.rest()
        return code

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def answer_of(port: int, path: str = "/") -> str:
    """What the server says, or why it says nothing."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return str(response.read().decode())
    except OSError as error:
        return f"{error!r}"


def answers_of_all(port: int, workers: int) -> Callable[[], set[str]]:
    """What the workers say, one after the other: each answers `<its number> <text>`; "" until all have been heard."""

    def ask() -> set[str]:
        heard: dict[str, str] = {}
        for _ in range(60):
            number, _, text = answer_of(port).partition(" ")
            if number.isdigit():
                heard[number] = text
            if len(heard) >= workers:
                break
        return set(heard.values()) if len(heard) >= workers else {""}

    return ask
