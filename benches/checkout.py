"""Many files that change at once, as a checkout does it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from engines import python_of
from project import edited_text, write_project

CHILD = """
import importlib, json, os, sys, threading, time
root, modules = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, root)
import hotswap
def say(**words):
    os.write(1, (json.dumps(words) + "\\n").encode())
def tell(report):
    shown = report.to_dict()
    say(at=time.monotonic_ns(), status=report.status, files=len(report.files), groups=len(report.groups),
        generation=report.generation, ms=shown["duration_ms"])
session = hotswap.watch(root, on_update=tell)
for index in range(modules):
    importlib.import_module(f"app.m{index}")
time.sleep(3)
say(ready=True)
longest = 0
before = time.monotonic_ns()
while True:
    time.sleep(0.0001)
    now = time.monotonic_ns()
    if now - before > longest:
        longest = now - before
        say(longest_ms=longest / 1e6)
    before = time.monotonic_ns()
    if os.path.exists(os.path.join(root, "again")):
        os.unlink(os.path.join(root, "again"))
        longest = 0
"""


def checkouts(modules: int, changed: int, functions: int, rounds: int) -> dict[str, object]:
    """`git checkout` between two branches that differ in so many files; how long until all of them are live."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder, "project")
        write_project(root, modules, functions, functions)

        def git(*words: str) -> None:
            command = ["git", "-c", "user.name=b", "-c", "user.email=b@example.org", *words]
            subprocess.run(command, cwd=root, check=True, capture_output=True)

        git("init", "-q", "-b", "one")
        git("add", ".")
        git("commit", "-qm", "one")
        git("checkout", "-qb", "two")
        for index in range(changed):
            file = root / "app" / f"m{index}.py"
            file.write_text(edited_text(index, functions, 7, "body"))
        git("commit", "-qam", "two")
        git("checkout", "-q", "one")
        child = Path(folder, "child.py")
        child.write_text(CHILD)
        process = subprocess.Popen(
            [python_of("hotswap"), str(child), str(root), str(modules)],
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
            text=True,
            env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"),
        )
        assert process.stdout is not None
        results = []
        try:
            while "ready" not in json.loads(process.stdout.readline()):
                pass
            for number in range(rounds):
                (root / "again").touch()
                time.sleep(1)
                git("checkout", "-q", ("two", "one")[number % 2])
                written = time.monotonic_ns()
                batches, longest, said = [], 0.0, {}
                while sum(batch["files"] for batch in batches) < changed:
                    said = json.loads(process.stdout.readline())
                    longest = max(longest, said.get("longest_ms", 0.0))
                    if "files" in said:
                        batches.append(said)
                results.append(
                    {
                        "ms": (said["at"] - written) / 1e6,
                        "batches": len(batches),
                        "groups": batches[-1]["groups"],
                        "pause_ms": max(batch["ms"].get("pause", 0.0) for batch in batches),
                        "held_ms": max(batch["ms"].get("held", 0.0) for batch in batches),
                        "stages": batches[-1]["ms"],
                        "longest_ms": longest,
                    }
                )
        finally:
            process.kill()
            process.wait()
    median = {
        key: statistics.median(result[key] for result in results)
        for key in ("ms", "batches", "groups", "pause_ms", "held_ms", "longest_ms")
    }
    return {"modules": modules, "changed": changed, "median": median, "last": results[-1]}


if __name__ == "__main__":
    print(json.dumps(checkouts(1_000, 100, 10, 4), indent=1))
