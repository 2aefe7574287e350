"""200 attachments into each of four kinds of process, and what they did to it.

PYTHONPATH=tests python tests/attach/many.py [--attaches 200] [--kind NAME]

Each attachment watches, and ends. Afterwards: the target lives, has gone on, has computed nothing wrong, and has the threads
and descriptors of before; its mappings have not grown from one attachment to the next.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from embedded import compile_host
from hotswap._attach import connect
from hotswap._errors import AttachError
from live import until
from processes import PLAIN_PYTHON, Process, clean_environment

PROGRESS = """
import threading, time
rounds = [0]
def report():
    while True:
        time.sleep(0.05)
        print("rounds", *rounds)
"""
ALLOCATING = (
    PROGRESS
    + """
rounds = [0, 0, 0, 0]
def allocate(number):
    while True:
        blocks = [bytearray(100 + i * 37 % 5000) for i in range(200)]
        del blocks
        rounds[number] += 1
for number in (1, 2, 3):
    threading.Thread(target=allocate, args=(number,), daemon=True).start()
threading.Thread(target=report, daemon=True).start()
print("up")
allocate(0)
"""
)
CHECKING = """
import json, time, zlib
print("up")
rounds, last = 0, time.monotonic()
while True:
    blocks = [bytes(1000 + (j * 7919) % 60000) for j in range(100)]
    text = json.dumps({str(i): [i] * 10 for i in range(200)})
    assert json.loads(text)["7"] == [7] * 10
    assert sum(i * 0.5 for i in range(1000)) == 249750.0
    assert zlib.decompress(zlib.compress(text.encode())) == text.encode()
    rounds += 1
    if time.monotonic() - last > 0.05:
        last = time.monotonic()
        print("rounds", rounds)
"""
ASYNCIO = """
import asyncio
async def main():
    print("up")
    rounds = 0
    while True:
        await asyncio.sleep(0.01)
        rounds += 1
        if rounds % 5 == 0:
            print("rounds", rounds)
asyncio.run(main())
"""
PLUGIN = """
import time
print('up', flush=True)
rounds = 0
while True:
    time.sleep(0.02)
    rounds += 1
    print('rounds', rounds, flush=True)
"""
KINDS = {
    "allocating in four threads": ALLOCATING,
    "checking itself": CHECKING,
    "asyncio": ASYNCIO,
    "embedded": None,
}


def start(kind: str, folder: Path) -> Process:
    program = KINDS[kind]
    if program is None:
        words = [str(compile_host(folder)), PLUGIN, "pass"]
    else:
        (folder / "program.py").write_text(program, encoding="utf-8")
        words = [PLAIN_PYTHON, "-u", "program.py"]
    target = Process(words, folder, clean_environment())
    target.line(lambda line: line == "up")
    return target


def attach_once(pid: int) -> tuple[float, float, int]:
    """Seconds until the target answered for the first time, seconds that a thread stood still, and looks."""
    begin = time.perf_counter()
    target = connect(pid)
    answered = time.perf_counter() - begin
    try:
        target.send(command="watch", follow=True)
        until(lambda: target.receive(30.0), lambda message: message is None or "watching" in message)
        target.send(command="end")
        until(lambda: target.receive(30.0), lambda message: message is None or "ended" in message)
    finally:
        target.close()
    return answered, float(target.found["pause"]), int(target.found["tries"])


def rounds_of(target: Process) -> list[int]:
    target.newest()
    return [int(word) for word in target.line(lambda line: line.startswith("rounds")).split()[1:]]


def run(kind: str, attaches: int, folder: Path) -> str:
    """Attach so many times; a row of the table. AssertionError: the target was hurt."""
    target = start(kind, folder)
    try:
        threads, descriptors = target.threads(), target.descriptors()
        before = rounds_of(target)
        answered, pauses, looks, mappings, refusals = [], [], [], [], []
        for _ in range(attaches):
            try:
                seconds, pause, tries = attach_once(target.pid)
            except AttachError as error:
                refusals.append(str(error))
                continue
            answered.append(seconds)
            pauses.append(pause)
            looks.append(tries)
            until(target.threads, lambda count: count == threads)
            until(target.descriptors, lambda now: now == descriptors)
            mappings.append(target.mappings())
            assert target.process.poll() is None, target.seen[-20:]
        after = rounds_of(target)
        assert all(new > old for old, new in zip(before, after)), (before, after)
        wrong = [line for line in target.seen if not line.startswith(("up", "rounds", "host:"))]
        assert not wrong, wrong
        # Threads take parts of the heap of their own, up to a number that glibc sets: these come early.
        early, late = max(mappings[: len(mappings) // 2]), max(mappings[len(mappings) // 2 :])
        assert late <= early + 8, mappings
        for refusal in refusals:
            assert "came to a safe place" in refusal, refusal
        return (
            f"| {kind} | {len(answered)} | {len(refusals)} | {statistics.median(answered) * 1e3:.0f} "
            f"| {statistics.median(pauses) * 1e3:.1f} | {quantile(pauses, 0.95) * 1e3:.1f} | {max(pauses) * 1e3:.1f} "
            f"| {max(looks)} | {mappings[0]} to {mappings[-1]} |"
        )
    finally:
        target.kill()


def quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attaches", type=int, default=200)
    parser.add_argument("--kind", choices=KINDS, action="append")
    options = parser.parse_args()
    print(f"CPython {'.'.join(map(str, sys.version_info[:3]))}; milliseconds")
    print(
        "| target | attached | refused | answer, median | pause, median | 95 % | most | looks, most | mappings |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for kind in options.kind or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            print(run(kind, options.attaches, Path(folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
