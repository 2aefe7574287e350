"""How long `hotswap attach` takes, and for how long it stops a thread of the target."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from engines import python_of

TARGET = """
import asyncio
async def main():
    print("up", flush=True)
    while True:
        await asyncio.sleep(0.01)
asyncio.run(main())
"""


def attaches(count: int) -> dict[str, float]:
    """Attach and let go this often, each time by a command of its own, as a user does."""
    python = getattr(sys, "_base_executable", sys.executable)
    target = subprocess.Popen([python, "-c", TARGET], stdout=subprocess.PIPE, text=True)
    watching, pauses, looks = [], [], []
    try:
        assert target.stdout is not None
        target.stdout.readline()
        time.sleep(0.5)
        for _ in range(count):
            began = time.perf_counter()
            command = [python_of("hotswap"), "-m", "hotswap", "attach", str(target.pid), "--json"]
            attached = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert attached.stdout is not None
            event = json.loads(attached.stdout.readline())
            watching.append((time.perf_counter() - began) * 1e3)
            pauses.append(event["pause"] * 1e3)
            looks.append(event["tries"])
            attached.terminate()  # as good as Ctrl-C, which a shell's background may ignore
            attached.wait()
    finally:
        target.kill()
        target.wait()
    pauses.sort()
    return {
        "count": count,
        "watching_p50": statistics.median(watching),
        "watching_max": max(watching),
        "pause_p50": statistics.median(pauses),
        "pause_p95": pauses[int(len(pauses) * 0.95)],
        "pause_max": pauses[-1],
        "looks_max": max(looks),
    }
