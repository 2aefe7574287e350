"""The engines side by side: an environment for each, and a running program that each looks after."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import venv
from dataclasses import dataclass, field
from pathlib import Path

from project import module_text, write_project

HERE = Path(__file__).parent
PEERS = HERE.parent / "build" / "bench-peers"
PACKAGES = {
    "hotswap": [],
    "jurigged": ["jurigged"],
    "ipython": ["ipython"],
    "hmr": ["hmr", "watchfiles"],
    "watchfiles_reload": ["watchfiles"],
    "module_hot_loading": ["module-hot-loading"],
}
TITLES = {
    "hotswap": "hotswap",
    "jurigged": "jurigged",
    "ipython": "IPython `%autoreload 2`",
    "hmr": "hmr",
    "watchfiles_reload": "watchfiles + `importlib.reload`",
    "module_hot_loading": "module-hot-loading",
    "none": "plain `python`",
}


def python_of(name: str) -> str:
    """The interpreter of an engine's own environment, which is made at the first call."""
    if name in ("hotswap", "none"):
        return sys.executable
    place = PEERS / name
    python = place / "bin" / "python"
    done = place / "installed"
    if not done.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
        done.touch()
    return str(python)


@dataclass
class Setting:
    """What one comparison is made in."""

    modules: int = 200
    functions: int = 90
    others: int | None = None
    """Functions of the modules that are not edited; None: as many."""
    ballast: int = 0
    smallest_debounce: bool = True
    timeout: float = 8


@dataclass
class Seen:
    """What became of the edits."""

    latency_ms: list[float] = field(default_factory=list)
    longest_ms: list[float] = field(default_factory=list)
    """The longest time that the program's own thread stood still around each."""
    reports: list[dict] = field(default_factory=list)
    missed: int = 0


class Program:
    """A child process with one engine."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.name, self.setting = name, setting
        self.seen = Seen()
        self.folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.root = Path(self.folder.name, "project")
        others = setting.functions if setting.others is None else setting.others
        write_project(self.root, setting.modules, setting.functions, others)
        self.file = self.root / "app" / "m0.py"
        self.value = 0
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if setting.smallest_debounce:
            environment["MIN_DEBOUNCE"] = "1"
        self.process = subprocess.Popen(
            [
                python_of(name),
                str(HERE / "child.py"),
                str(self.root),
                name,
                str(setting.modules),
                str(setting.ballast),
            ],
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self._wait("ready", 900)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def _wait(self, key: str, seconds: float) -> dict | None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=min(left, 0.5))
            except queue.Empty:
                if self.process.poll() is not None:
                    return None
                continue
            said = json.loads(line)
            if "report" in said:
                self.seen.reports.append(said["report"])
            if key in said:
                return said
        return None

    def edit(self) -> None:
        """Save another version of the edited file, and wait until the program runs it."""
        self.value += 1
        text = module_text(0, self.setting.functions, self.value)
        temporary = self.root / "next.tmp"
        temporary.write_text(text)
        saved = time.monotonic_ns()
        os.replace(temporary, self.file)
        while (said := self._wait("value", self.setting.timeout)) is not None:
            if said["value"] == self.value:
                self.seen.latency_ms.append((said["t"] - saved) / 1e6)
                self.seen.longest_ms.append(said["longest_us"] / 1e3)
                return
        self.seen.missed += 1

    def resident_mb(self) -> float:
        """Of the process, now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def compare(
    names: list[str], setting: Setting, edits: int, warm_up: int = 2, pause: float = 0.1
) -> dict[str, Program]:
    """Edit by edit the engines take turns, so that the machine's drift hits all alike."""
    programs: dict[str, Program] = {}
    try:
        for name in names:
            programs[name] = Program(name, setting)
            if programs[name].ready is None:
                print(f"{name}: did not start", file=sys.stderr)
        for number in range(warm_up + edits):
            for program in programs.values():
                if program.ready is None or program.seen.missed > 3:
                    continue
                program.edit()
                if number < warm_up:
                    program.seen = Seen()
                time.sleep(pause)
    finally:
        for program in programs.values():
            program.memory_mb = program.resident_mb() if program.process.poll() is None else 0.0
            program.stop()
    return programs
