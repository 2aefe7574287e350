"""A program that runs under hotswap with workers: its lines, its answers, and what `hotswap status` says of it."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

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


def save(path: Path, text: str) -> None:
    """Save as most editors do: a temporary file, renamed over the old one."""
    temporary = path.with_name(path.name + "~")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A command in its own group of processes; everything in it ends with the test."""

    def __init__(self, folder: Path, runtime: str, *words: str, **variables: str) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
        self.environment = {**clean, "NO_COLOR": "1", "XDG_RUNTIME_DIR": runtime, **variables}
        self.folder = folder
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", *words],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

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

    def rest(self) -> list[str]:
        """Every line so far."""
        while not self.lines.empty():
            self.seen.append(self.lines.get())
        return self.seen

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
