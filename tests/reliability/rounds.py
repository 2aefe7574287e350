"""Runs groups of the corpus many times in a row; keeps the whole output of each case that does not pass.

    python tests/reliability/rounds.py                       20 rounds of threads/* and failure/*
    python tests/reliability/rounds.py --busy 2              the same beside two processes that do nothing but compute
    python tests/reliability/rounds.py --case 'threads/sig*' --rounds 100

Exit code 1 if a round was not whole. What failed is printed, and kept in the folder given with `--keep`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNNER = Path(__file__).parent.parent / "conformance" / "run.py"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--case", action="append", help="a glob; may be given several times")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fork", action="store_true", help="cases are forked from a warm process")
    parser.add_argument("--busy", type=int, default=0, help="so many processes compute meanwhile")
    parser.add_argument("--keep", type=Path, help="a folder for the output of what fails")
    options = parser.parse_args()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        return run(options)
    finally:
        for process in busy:
            process.kill()
            process.wait()


def run(options: argparse.Namespace) -> int:
    globs = options.case or ["threads/*", "failure/*"]
    whole = dict.fromkeys(globs, 0)
    began = time.monotonic()
    for number in range(1, options.rounds + 1):
        for glob in globs:
            failed = [
                each
                for each in once(glob, options.jobs, options.fork)
                if each["outcome"] not in ("pass", "skip")
            ]
            whole[glob] += not failed
            for each in failed:
                keep(each, number, options.keep)
    version = platform.python_version()
    for glob, count in whole.items():
        print(f"{version}: {glob} {count} of {options.rounds} rounds whole")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{time.monotonic() - began:.0f} s, {options.busy} busy processes, load {load}")
    return int(any(count < options.rounds for count in whole.values()))


def once(glob: str, jobs: int, fork: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "results.json")
        command = [sys.executable, str(RUNNER), "--engine", "hotswap", "--case", glob]
        command += ["--pythonpath", os.environ.get("PYTHONPATH", "")]
        command += ["--jobs", str(jobs), "--json", str(output)] + ["--fork"] * fork
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        results: list[dict[str, Any]] = json.loads(output.read_text("utf-8"))["results"]
    return results


def keep(result: dict[str, Any], number: int, folder: Path | None) -> None:
    """Prints what failed, with all that the case and the engine said."""
    text = "\n".join(f"--- {name}\n{result[name]}" for name in ("why", "trace", "log") if result.get(name))
    print(f"round {number}: {result['case']}: {result['outcome']}\n{text}", flush=True)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{platform.python_version()}-{number}-{result['case'].replace('/', '.')}.txt"
        folder.joinpath(name).write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
