"""Ends interpreters again and again, each in one mode, and sees whether the end was clean.

    python tests/reliability/exits.py                              20 ends in each mode
    python tests/reliability/exits.py --rounds 200 --modes watching 'update in flight'
    python tests/reliability/exits.py --json

Clean is: the exit code that was asked for, what the program had to say and nothing else, no word on standard
error, no process of its own left, all within the time of its mode. Exit code 1 if one end was not.

A mode is a function that starts a program which ends by itself and gives the process; see `MODES` below. A mode
that does something from outside (bring hotswap into a process that runs) is added there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Mode = Callable[[Path, random.Random], "subprocess.Popen[str]"]
"""Starts a program in this empty folder; chance is for the moment at which it ends."""

DONE = "done\n"
"""What every program says last, and nothing else."""
CODE = 7
"""What every program ends with: not what an interpreter ends with by itself."""
SECONDS = 30.0

PRELUDE = """\
import os, sys, threading, time, warnings
sys.path.insert(0, os.getcwd())
sys.dont_write_bytecode = True
# What a thread prints when it is in the way of fork is not the point here.
warnings.simplefilter("ignore", DeprecationWarning)

def save(text):
    with open("mod.py~", "w") as file:
        file.write(text)
    os.replace("mod.py~", "mod.py")

def until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)

def source(number):
    return f"value = {number}\\nTABLE = [value + each for each in range({number})]\\ndef f():\\n    return {number}\\n"

save(source(1))
import hotswap
"""
END = f"""
sys.stdout.write({DONE!r})
sys.exit({CODE})
"""


def of(program: str) -> Mode:
    """The mode of a program of its own; `chance` in it is a number below 1."""

    def start(folder: Path, chance: random.Random) -> subprocess.Popen[str]:
        path = folder / "program.py"
        path.write_text(f"chance = {chance.random()!r}\n" + PRELUDE + program + END, encoding="utf-8")
        return begin([sys.executable, "-X", "faulthandler", str(path)], folder)

    return start


def begin(
    words: list[str], folder: Path, before: Callable[[], object] | None = None
) -> subprocess.Popen[str]:
    """A process in a group of its own, its words in pipes. `before` is called in it first."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
    return subprocess.Popen(
        words,
        cwd=folder,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=before,
    )


WATCHING = """
import mod
session = hotswap.watch(".")
save(source(2))
until(lambda: mod.f() == 2)
"""

UNAWARE = """
import mod
open("up", "w").close()
until(lambda: os.path.exists("attached"))
save(source(2))
until(lambda: mod.f() == 2)
"""


def attached(program: str, first_ends: bool = False) -> Mode:
    """The mode of a program that knows nothing of hotswap, which is brought into it."""

    def start(folder: Path, chance: random.Random) -> subprocess.Popen[str]:
        path = folder / "program.py"
        before = PRELUDE.replace("import hotswap\n", "")
        path.write_text(f"chance = {chance.random()!r}\n" + before + program + END, encoding="utf-8")
        python = getattr(sys, "_base_executable", sys.executable)
        process = begin([python, "-X", "faulthandler", str(path)], folder)
        deadline = time.monotonic() + SECONDS
        while not (folder / "up").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        words = [sys.executable, "-m", "hotswap", "attach", str(process.pid), "--json"]
        attachment = begin(words, folder, lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        assert attachment.stdout is not None
        if '"watching"' not in attachment.stdout.readline():
            process.kill()
        if first_ends:
            attachment.send_signal(signal.SIGINT)
            attachment.communicate()
        else:
            threading.Thread(target=attachment.communicate, daemon=True).start()
        (folder / "attached").touch()
        return process

    return start


MODES: dict[str, Mode] = {
    "plain": of("from hotswap import _hotswap\n"),
    "stopped": of(WATCHING + "session.stop()\n"),
    "watching": of(WATCHING),
    # The end comes at any moment of the wait for quiet, the update and the report of it.
    "update in flight": of(WATCHING + "save(source(3))\ntime.sleep(chance * 0.02)\n"),
    # The end does not wait for it for more than two seconds.
    "update that never ends": of(
        WATCHING
        + """
save(source(3) + "open('begun', 'w').close()\\nwhile True: pass\\n")
until(lambda: os.path.exists("begun"))
"""
    ),
    "syncing thread": of(
        WATCHING
        + """
def work():
    for number in range(10, 1000):
        save(source(number))
        try:
            hotswap.sync()
        except hotswap.NotWatchingError:
            return
threading.Thread(target=work, daemon=True).start()
time.sleep(chance * 0.05)
"""
    ),
    # The child ends as the parent does, with an edit of its own, and has nothing to say.
    "forked child": of(
        WATCHING
        + """
child = os.fork()
if not child:
    save(source(3))
    until(lambda: mod.f() == 3)
    time.sleep(chance * 0.02)
    sys.exit(3)
assert os.waitpid(child, 0)[1] == 3 << 8
until(lambda: mod.f() == 3)
"""
    ),
    # It has not begun to watch, or is just about to.
    "child that ends at once": of(
        WATCHING
        + """
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        time.sleep(chance * 0.1)
        sys.exit(3)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 3 << 8
"""
    ),
}
if sys.platform == "linux" and platform.machine() == "x86_64":
    MODES["attached"] = attached(UNAWARE + "save(source(3))\ntime.sleep(chance * 0.02)\n")
    MODES["attached before"] = attached(
        UNAWARE.replace("save(source(2))\nuntil(lambda: mod.f() == 2)\n", ""), True
    )


class Ended(NamedTuple):
    """How one process has ended."""

    seconds: float
    fault: str


def end_once(mode: Mode, seed: int) -> Ended:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = mode(Path(folder), random.Random(seed))
        fault = ""
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            # SIGABRT has faulthandler say where each thread is.
            kill(process.pid, signal.SIGABRT)
            out, err = process.communicate()
            fault = f"still running after {SECONDS:.0f} s; "
        seconds = time.monotonic() - began
        if fault or process.returncode != CODE or out != DONE or err:
            fault += f"ended with {process.returncode}\n{out}{err}"
        elif kill(process.pid, signal.SIGKILL):
            fault = "left a process behind"
    return Ended(seconds, fault)


def kill(group: int, number: signal.Signals) -> bool:
    """Whether there was anybody to kill."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES), metavar="MODE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {}
    for name in options.modes:
        ends = [end_once(MODES[name], options.seed + number) for number in range(options.rounds)]
        faults = [each.fault for each in ends if each.fault]
        seconds = [each.seconds for each in ends]
        figures[name] = {
            "ends": len(ends),
            "clean": len(ends) - len(faults),
            "median_seconds": round(statistics.median(seconds), 3),
            "longest_seconds": round(max(seconds), 3),
            "faults": faults,
        }
        if not options.json:
            print(
                "{0}  {1:24} {clean} of {ends} clean, median {median_seconds:.2f} s, longest {longest_seconds:.2f} s".format(
                    platform.python_version(), name, **figures[name]
                ),
                *faults,
                sep="\n",
                flush=True,
            )
    if options.json:
        print(json.dumps(figures))
    return int(any(each["faults"] for each in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
