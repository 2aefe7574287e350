"""The watcher as a process: the example `print_events` of the crate hotswap-watch.

HOTSWAP_PRINT_EVENTS names a built one, else cargo builds it.
"""

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE = 15.0
# After the last expected path: longer than every wait of the watcher.
SILENCE = 0.3


class Events:
    """The batches that the watcher prints."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self.next(DEADLINE)
        assert self.ready and self.ready.get("ready"), "the watcher did not start"

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def next(self, timeout=DEADLINE):
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty:
            return None

    def until(self, paths):
        """Returns all batches up to the one that completes `paths`, and those that follow before silence."""
        batches, missing, deadline = [], set(paths), time.monotonic() + DEADLINE
        while True:
            batch = self.next(max(0.0, deadline - time.monotonic()) if missing else SILENCE)
            if batch is None:
                return batches
            batches.append(batch)
            missing -= {change["path"] for change in batch["changes"]}

    def close(self):
        """Ends the watcher; returns what it counted."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(DEADLINE)
        counted = None
        while (line := self.next(0.1)) is not None:
            counted = line
        return counted


@pytest.fixture(scope="session")
def print_events():
    built = os.environ.get("HOTSWAP_PRINT_EVENTS")
    if built:
        return built
    command = [
        "cargo",
        "build",
        "-q",
        "-p",
        "hotswap-watch",
        "--example",
        "print_events",
        "--message-format=json",
    ]
    lines = subprocess.run(
        command, cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return next(m["executable"] for m in map(json.loads, lines) if m.get("executable"))


@pytest.fixture
def watch(print_events):
    running = []

    def start(root, *arguments, prefix=(), program=print_events, **options):
        running.append(Events([*prefix, program, str(root), *arguments], **options))
        return running[-1]

    yield start
    for events in running:
        events.close()
