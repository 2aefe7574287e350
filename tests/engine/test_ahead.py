"""What is compiled while the quiet window of a save runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys, time
sys.path.insert(0, {folder!r})
import hotswap
done = []
session = hotswap.watch({folder!r}, on_update=done.append)
import edited
compiled = []

def note(event, arguments):
    # What was imported a moment after it was written is compiled to be compared with what runs.
    if event == "compile" and str(arguments[1]).endswith("edited.py") and b"return 1" not in arguments[0]:
        compiled.append(arguments[0])

sys.addaudithook(note)
for text in {texts!r}:
    with open({folder!r} + "/next.tmp", "w") as file:
        file.write(text)
    os.replace({folder!r} + "/next.tmp", {folder!r} + "/edited.py")
    deadline = time.monotonic() + 20
    count = len(done)
    while len(done) == count and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
print([report.status for report in done], edited.f(), len(compiled), len(done[0].duration_ms))
times = done[0].duration_ms
assert times["pause"] <= times["longest"] <= times["held"], times
"""


def run(folder: Path, texts: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    source = PROGRAM.format(folder=str(folder), texts=texts)
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, *words, "-c", source]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_a_body_is_compiled_once(tmp_path: Path) -> None:
    (tmp_path / "edited.py").write_text("def f():\n    return 1\n")
    done = run(tmp_path, ["def f():\n    return 2\n", "def f():\n    return 3\n"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['applied', 'applied'] 3 2 "), done.stdout


def test_a_warning_of_the_compiler_comes_once(tmp_path: Path) -> None:
    (tmp_path / "edited.py").write_text("def f():\n    return 1\n")
    done = run(tmp_path, ["def f():\n    return 2 if f is 2 else 3\n"], "-W", "always")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['applied'] 3 1 "), done.stdout
    assert done.stderr.count("SyntaxWarning") == 1, done.stderr


def test_a_warning_that_is_an_error_refuses_the_edit(tmp_path: Path) -> None:
    (tmp_path / "edited.py").write_text("def f():\n    return 1\n")
    done = run(tmp_path, ["def f():\n    return 2 if f is 2 else 3\n"], "-W", "error::SyntaxWarning")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['rejected'] 1 "), done.stdout
