"""Programs that run in an interpreter of their own, with a deadline: what hangs or crashes is the test's failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 60.0

PRELUDE = """\
import faulthandler, os, sys, threading, time, warnings
if __name__ == "__main__":
    faulthandler.dump_traceback_later({seconds} - 5, exit=True)
sys.path.insert(0, os.getcwd())
# What a thread prints when it is in the way of fork is not the point here.
warnings.simplefilter("ignore", DeprecationWarning)
import hotswap

def save(name, content):
    with open(name + "~", "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.replace(name + "~", name)

def until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)

MOD = "value = {{0}}\\ndef f():\\n    return {{0}}\\n"
if __name__ == "__main__":  # and not in a child that multiprocessing has spawned
    save("mod.py", MOD.format(1))
"""

Drive = Callable[..., str]


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Runs this after `first` and the prelude, in an interpreter and a folder of its own; it must end with `code`."""

    def run(
        program: str,
        *,
        first: str = "",
        seconds: float = SECONDS,
        code: int | None = 0,
        before: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> str:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
        path = tmp_path / "driven.py"
        prelude = PRELUDE.format(seconds=seconds)
        path.write_text(first + prelude + textwrap.dedent(program), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-u", *before, str(path)],
            cwd=tmp_path,
            env={**clean, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=seconds + 10)
        except subprocess.TimeoutExpired:
            # Its children too, which may hold the pipe open.
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            pytest.fail(f"still running after {seconds} s:\n{out}")
        if code is not None:
            assert process.returncode == code, f"ended with {process.returncode}:\n{out}"
        return out

    return run


@pytest.fixture
def tool() -> Callable[..., str]:
    """Runs one of the programs beside this file, as their nox sessions do; it must end well."""

    def run(name: str, *words: str, seconds: float = 120) -> str:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", str(HERE / name), *words],
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
