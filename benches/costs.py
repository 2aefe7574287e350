"""What hotswap costs a program that nobody edits: start-up, memory, running code, wake-ups."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engines import python_of
from project import write_project

IMPORTING = """
import sys, importlib
engine, root, modules = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, root)
if engine == "hotswap":
    import hotswap
    hotswap.watch(*sys.argv[4:])
elif engine == "jurigged":
    import os, jurigged
    jurigged.watch(os.path.join(root, "**", "*.py"))
for index in range(modules):
    importlib.import_module(f"app.m{index}")
"""
WAITING = """
import os, time
settle = float(os.environ["SETTLE"])
time.sleep(settle)
for line in open("/proc/self/status"):
    if line.startswith("VmRSS"):
        print(int(line.split()[1]) / 1024)
"""
RUNNING = """
import gc
# How often the collector runs depends on how much is alive, whoever it belongs to.
gc.disable()
NUMBERS = tuple(range(100))
def work(n):
    # Small numbers only, which are made once: what the allocator does depends on what else is alive, too.
    total = 0
    for _ in range(n // 10_000):
        for _ in NUMBERS:
            for number in NUMBERS:
                total = step(total, number)
                if total & 3:
                    total ^= 5
    return total
def step(total, number):
    return (total ^ number) & 127
work(10_000)
if sys.argv[4:] and engine == "hotswap":
    import time
    # Until all is loaded that an update needs.
    time.sleep(9)
work(WORK)
"""
EDITED = {
    "loop.py": """
def step(total, number):
    return (total ^ number) & 127
def work(marks, numbers):
    for mark in marks:
        mark()
        total = 0
        for number in numbers:
            total = step(total, number)
            if total & 3:
                total ^= 5
""",
    "start.py": """
import gc, os, sys, time
gc.disable()
engine, edited, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
if engine == "hotswap":
    import hotswap
    session = hotswap.watch(os.path.dirname(__file__))
    session.pause()
import loop
def nothing():
    pass
def edit():
    if engine == "hotswap":
        # Until all is loaded that an update needs.
        time.sleep(9)
        with open(loop.__file__, "w") as file:
            file.write(edited)
        report = hotswap.sync()
        assert report.status == "applied", report
def settle():
    if engine == "hotswap":
        assert 6 in sys._getframe(1).f_code.co_consts, "the call was not moved"
        assert not session.status()["pending"]
        time.sleep(3)
# Small numbers only, which are made once: what the allocator does depends on what else is alive.
numbers = [number & 127 for number in range(turns)]
loop.work([nothing, os.times, os.times, edit, settle, os.times, os.times], numbers)
""",
}
EDITS = ("total ^= 5", "total ^= 6\n                total += 1")


def environment(**more: str) -> dict[str, str]:
    # Hash seeds would change how many instructions the same work takes.
    words = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**words, "PYTHONHASHSEED": "0", **more}


class Project:
    """A generated project with its byte code, as a program has that was started before."""

    def __init__(self, modules: int, functions: int) -> None:
        self.modules = modules
        self.folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.root = Path(self.folder.name, "project")
        write_project(self.root, modules, functions, functions)
        self.script = Path(self.folder.name, "start.py")
        self.script.write_text(IMPORTING)
        # Byte code of sources that are younger than the process is not trusted.
        time.sleep(1.1)
        self.start("none")

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()

    @property
    def source_mb(self) -> float:
        return sum(file.stat().st_size for file in self.root.rglob("*.py")) / (1 << 20)

    def command(self, engine: str, *paths: str, script: str | None = None) -> list[str]:
        if script is not None:
            self.script.write_text(script)
        return [python_of(engine), str(self.script), engine, str(self.root), str(self.modules), *paths]

    def start(self, engine: str, *paths: str) -> float:
        """Milliseconds from the start of the interpreter to its end."""
        began = time.perf_counter()
        subprocess.run(self.command(engine, *paths, script=IMPORTING), check=True, env=environment())
        return (time.perf_counter() - began) * 1e3


def start_up(modules: int, functions: int, pairs: int, of_peers: int) -> dict[str, object]:
    """Pairs of starts, with and without; and fewer with jurigged, which takes ten times as long.

    One start varies by a tenth from the next: a median of fifteen pairs tells no more than that it is near.
    """
    with Project(modules, functions) as project:
        ways = {
            "none": ("none",),
            "hotswap": ("hotswap",),
            "hotswap with its folder": ("hotswap", str(project.root)),
            "jurigged": ("jurigged",),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(pairs):
            for way, words in ways.items():
                if turn < of_peers or way != "jurigged":
                    times[way].append(project.start(*words))
        plain = statistics.median(times["none"])
        extra = {
            way: statistics.median(one - other for one, other in zip(times[way], times["none"], strict=False))
            for way in ways
            if way != "none"
        }
        return {"modules": modules, "plain_ms": plain, "extra_ms": extra, "pairs": pairs}


def memory(modules: int, functions: int, runs: int) -> dict[str, object]:
    """Resident memory after all was imported and read, against plain `python`."""
    with Project(modules, functions) as project:
        ways = {"none": ("none",), "hotswap": ("hotswap",), "jurigged": ("jurigged",)}
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(runs):
            for way, words in ways.items():
                command = project.command(*words, script=IMPORTING + WAITING)
                done = subprocess.run(
                    command, check=True, env=environment(SETTLE="3"), capture_output=True, text=True
                )
                found[way].append(float(done.stdout.split()[-1]))
        plain = statistics.median(found["none"])
        extra = {way: statistics.median(found[way]) - plain for way in ways if way != "none"}
        return {
            "modules": modules,
            "sources_mb": project.source_mb,
            "plain_mb": plain,
            "extra_mb": extra,
        }


def instructions(command: list[str]) -> int | None:
    """What the main thread of a command executes; None where no counter is to be had."""
    if shutil.which("valgrind") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        counted = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        subprocess.run([*counted, *command], check=True, env=environment(), capture_output=True)
        # The summary of the first thread; the others wait for files.
        text = Path(f"{out}-01").read_text()
        return int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1])


def steady_state(work: int) -> dict[str, object] | None:
    """Instructions of a CPU-bound program's own thread, by the difference of a long and a short run."""
    with Project(20, 10) as project:
        counts = {}
        for engine in ("none", "hotswap", "jurigged"):
            long, short = (
                instructions(
                    project.command(
                        engine, str(project.root), script=IMPORTING + RUNNING.replace("WORK", str(amount))
                    )
                )
                for amount in (work, 0)
            )
            if long is None or short is None:
                return None
            counts[engine] = long - short
    plain = counts["none"]
    return {"instructions": plain, "extra_percent": {k: (v / plain - 1) * 100 for k, v in counts.items()}}


def counted_turns(python: str, engine: str, turns: int, began_new: bool) -> tuple[int, int]:
    """Instructions of one round of a loop, before another one in which hotswap edits it, and after that."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        new = EDITED["loop.py"].replace(*EDITS)
        for name, text in EDITED.items():
            Path(folder, name).write_text(new if began_new and name == "loop.py" else text)
        out = Path(folder, "out")
        # At each call of `os.times` what was counted so far is written down, and counting begins anew.
        counted = [
            "valgrind",
            "--tool=callgrind",
            "--separate-threads=yes",
            "--dump-before=os_times",
            f"--callgrind-out-file={out}",
        ]
        command = [*counted, python, str(Path(folder, "start.py")), engine, new, str(turns)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        texts = [Path(f"{out}.{number}-01").read_text() for number in (2, 4)]
        before, after = (int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1]) for text in texts)
        return before, after


def edited_loop(turns: int) -> dict[str, object] | None:
    """Instructions of a loop before any edit and after it was moved to new code.

    In this interpreter and in those of `OTHER_PYTHONS`, paths as in `PATH`, which have hotswap.
    """
    if shutil.which("valgrind") is None:
        return None
    found = {}
    others = filter(None, os.environ.get("OTHER_PYTHONS", "").split(os.pathsep))
    for python in (sys.executable, *others):
        command = [python, "-c", "import platform; print(platform.python_version())"]
        version = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        plain, _ = counted_turns(python, "none", turns, began_new=False)
        _, plain_new = counted_turns(python, "none", turns, began_new=True)
        before, after = counted_turns(python, "hotswap", turns, began_new=False)
        found[version] = {"old": plain, "before": before, "new": plain_new, "after": after}
    return {"turns": turns, "found": found}


def wake_ups(seconds: int) -> dict[str, object]:
    """Voluntary context switches of hotswap's own threads while nothing happens."""
    script = IMPORTING + "\nimport time\nprint('ready', flush=True)\ntime.sleep(10_000)\n"
    with Project(200, 10) as project:
        process = subprocess.Popen(
            project.command("hotswap", script=script), stdout=subprocess.PIPE, env=environment(), text=True
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(5)

            def switches() -> dict[str, int]:
                found = {}
                for task in Path(f"/proc/{process.pid}/task").iterdir():
                    status = (task / "status").read_text()
                    number = int(re.search(r"voluntary_ctxt_switches:\s+(\d+)", status)[1])
                    found[f"{re.search(r'Name:.(.*)', status)[1]} {task.name}"] = number
                return found

            before = switches()
            time.sleep(seconds)
            after = switches()
        finally:
            process.kill()
            process.wait()
    woken = {name.split()[0]: after[name] - before.get(name, 0) for name in after}
    return {"seconds": seconds, "wake_ups": woken}


if __name__ == "__main__":
    import json

    names = sys.argv[1:] or ["start_up", "memory", "steady_state", "edited_loop", "wake_ups"]
    quick = {
        "start_up": (200, 20, 5),
        "memory": (200, 20, 1),
        "steady_state": (20_000,),
        "edited_loop": (20_000,),
        "wake_ups": (12,),
    }
    full = {
        "start_up": (1_000, 20, 15),
        "memory": (1_000, 20, 3),
        "steady_state": (100_000,),
        "edited_loop": (100_000,),
        "wake_ups": (60,),
    }
    for name in names:
        size = full if os.environ.get("FULL") else quick
        print(name, json.dumps(globals()[name](*size[name]), indent=1))
