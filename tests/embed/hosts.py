"""Hosts that embed this interpreter: compiled, started, spoken to."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

import hotswap

HERE = Path(__file__).parent
PLUG = HERE / "plug.py"
SECONDS = 30.0
PART = """\
calls = 0
def answer():
    global calls
    calls += 1
    return {}
"""


class Host:
    """A running host. What it prints is waited for line by line, with a deadline."""

    def __init__(self, words: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._unread: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            words,
            cwd=folder,
            env={**surroundings(), **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._unread.put(line.rstrip("\n"))

    def until(self, wanted: str) -> str:
        """The next line that this pattern matches from its beginning; fails where a plug-in says that it did."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                line = self._unread.get(timeout=0.2)
            except queue.Empty:
                if self._process.poll() is not None and not self._reader.is_alive() and self._unread.empty():
                    break
                continue
            self.lines.append(line)
            if re.match(wanted, line):
                return line
        pytest.fail(f"waited for {wanted!r} in vain (ended with {self._process.poll()}):\n{self.text()}")

    def text(self) -> str:
        while not self._unread.empty():
            self.lines.append(self._unread.get())
        return "\n".join(self.lines)

    def save(self, answer: object, *, whole: str | None = None) -> None:
        save(self.folder / "part.py", PART.format(answer) if whole is None else whole)

    def say(self, word: str) -> None:
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def ends_with(self, code: int = 0) -> str:
        """All that it printed, once it has ended like this."""
        try:
            ended = self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running:\n{self.text()}")
        self._reader.join(SECONDS)
        assert ended == code, f"ended with {ended}:\n{self.text()}"
        return self.text()

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(SECONDS)
        self._process.stdin.close()
        self._process.stdout.close()


def save(path: Path, text: str) -> None:
    beside = path.with_name(path.name + "~")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def surroundings() -> dict[str, str]:
    """The environment of a host: where the package is, and nothing of this process's hotswap."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HOTSWAP", "PYTHON"))}
    paths = [str(Path(hotswap.__file__).parents[1]), sysconfig.get_path("purelib")]
    # Saves of one second and one size look alike to the check of a .pyc file, on a fresh start too.
    clean["PYTHONDONTWRITEBYTECODE"] = "1"
    # A host of an interpreter that was moved finds its library by this, as one that is shipped with it would.
    return {**clean, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHOME": sys.base_prefix}


def kinds() -> list[str]:
    """The hosts that can be made for this interpreter."""
    return ["c", "rust", *(["static"] if archive() else [])]


def archive() -> Path | None:
    """The static library of this interpreter, where it came with one, beside a shared one or alone."""
    path = Path(sysconfig.get_config_var("LIBPL") or "", sysconfig.get_config_var("LIBRARY") or "")
    return path if path.is_file() else None


def shared() -> Path | None:
    """The shared library. What the build says of itself is not asked: Debian's executables are static all the same."""
    path = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
    return path if path.suffix != ".a" and path.is_file() else None


def linking(*, static: bool = False) -> list[str]:
    """What links a program with this interpreter."""
    library = None if static else shared()
    if library is not None:
        return [str(library), f"-Wl,-rpath,{library.parent}"]
    library = archive()
    if library is None:
        pytest.fail(
            f"this interpreter has no library to embed: neither {sysconfig.get_config_var('INSTSONAME')} in "
            f"{sysconfig.get_config_var('LIBDIR')} nor {sysconfig.get_config_var('LIBRARY')} in "
            f"{sysconfig.get_config_var('LIBPL')}"
        )
    rest = " ".join(sysconfig.get_config_var(key) or "" for key in ("MODLIBS", "LIBS", "SYSLIBS"))
    # Extension modules find what they need of the interpreter in the program.
    return [str(library), "-no-pie", "-Wl,--export-dynamic", *rest.split()]


def compile_c(source: Path, output: Path, *, static: bool = False) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.fail("the hosts are C programs; there is no C compiler on PATH (cc, gcc, clang)")
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").is_file():
        pytest.fail(f"this interpreter came without the headers that a host needs: no Python.h in {include}")
    words = [
        compiler,
        "-O1",
        "-Wall",
        "-Werror",
        f"-I{include}",
        str(source),
        "-o",
        str(output),
        *linking(static=static),
        "-lpthread",
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(output)
