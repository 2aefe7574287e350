#!/usr/bin/env python3
"""Measures hotswap beside other engines and writes docs/performance.md with its plots.

    bench.py            all of it, about an hour on a quiet machine
    bench.py --quick    smaller sizes and fewer rounds, minutes; for a look, not for the page
    bench.py --only file checkout

What was measured before is kept in build/bench.json and drawn again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import checkout
import costs
from engines import PACKAGES, TITLES, Seen, Setting, compare, python_of
from plot import plot
from text import page

from attach import attaches

CHECKOUT = Path(__file__).parent.parent
RESULTS = CHECKOUT / "build" / "bench.json"
PEERS = ["hotswap", "watchfiles_reload", "hmr", "ipython", "jurigged"]
PAUSES = 300
"""Edits from which the 99th percentile of a pause is told."""
SLOW = {"jurigged", "hmr"}
"""Engines whose start takes minutes with thousands of modules."""


def figures(seen: Seen) -> dict[str, float]:
    """Of one engine in one setting."""
    latency, longest = sorted(seen.latency_ms), sorted(seen.longest_ms)
    if not latency:
        return {"n": 0, "missed": seen.missed}
    found = {
        "n": len(latency),
        "missed": seen.missed,
        "p50": statistics.median(latency),
        "min": latency[0],
        "p95": latency[int(len(latency) * 0.95)],
        "gap_p50": statistics.median(longest),
        "gap_p99": longest[int(len(longest) * 0.99)],
    }
    for stage in ("held", "longest", "pause", "total"):
        times = sorted(report[stage] for report in seen.reports if stage in report)
        if times:
            found[f"{stage}_p50"] = statistics.median(times)
            found[f"{stage}_p99"] = times[int(len(times) * 0.99)]
    return found


def latency_by(
    name: str, settings: dict[int, Setting], quick: bool, skip: dict[int, set[str]] | None = None
) -> dict:
    """The engines in each of these settings."""
    found = {}
    edits = 8 if quick else 24
    for size, setting in settings.items():
        engines = [engine for engine in PEERS if engine not in (skip or {}).get(size, set())]
        print(f"latency by {name}: {size}", flush=True)
        programs = compare(engines, setting, edits)
        found[str(size)] = {engine: figures(program.seen) for engine, program in programs.items()}
        # Hundreds of edits with all of them would take hours.
        alone = compare(["hotswap"], setting, 40 if quick else PAUSES, pause=0.05)["hotswap"]
        found[str(size)]["hotswap"]["alone"] = figures(alone.seen)
        shown = {engine: round(each.get("p50", 0), 2) for engine, each in found[str(size)].items()}
        print("  p50", shown, flush=True)
    return found


def file(quick: bool) -> dict:
    settings = {20: Setting(functions=20), 90: Setting(functions=90)}
    if not quick:
        settings = {2: Setting(functions=2), **settings, 770: Setting(functions=770, others=20, timeout=20)}
    return latency_by("functions in the file", settings, quick)


def project(quick: bool) -> dict:
    settings = {10: Setting(modules=10), 200: Setting(), 1_000: Setting(modules=1_000, others=5)}
    if not quick:
        settings[5_000] = Setting(modules=5_000, others=5, timeout=20)
    return latency_by("modules", settings, quick, {5_000: SLOW})


def heap(quick: bool) -> dict:
    settings = {0: Setting(), 1_000_000: Setting(ballast=1_000_000)}
    if not quick:
        settings[3_000_000] = Setting(ballast=3_000_000, timeout=20)
    return latency_by("objects alive", settings, quick, {3_000_000: SLOW})


def defaults(quick: bool) -> dict:
    return latency_by("default delays", {0: Setting(smallest_debounce=False)}, quick)


def start_up(quick: bool) -> dict:
    return costs.start_up(200, 20, 5, 5) if quick else costs.start_up(1_000, 20, 151, 5)


def memory(quick: bool) -> dict:
    return costs.memory(200 if quick else 1_000, 20, 1 if quick else 3)


def steady_state(quick: bool) -> dict | None:
    return costs.steady_state(20_000 if quick else 600_000)


def edited_loop(quick: bool) -> dict | None:
    return costs.edited_loop(20_000 if quick else 100_000)


def wake_ups(quick: bool) -> dict:
    return costs.wake_ups(15 if quick else 120)


def checkouts(quick: bool) -> dict:
    return checkout.checkouts(*((500, 50, 10, 4) if quick else (5_000, 500, 10, 8)))


def attach(quick: bool) -> dict:
    return attaches(10 if quick else 100)


PARTS = {
    "file": file,
    "project": project,
    "heap": heap,
    "defaults": defaults,
    "start_up": start_up,
    "memory": memory,
    "steady_state": steady_state,
    "edited_loop": edited_loop,
    "wake_ups": wake_ups,
    "checkout": checkouts,
    "attach": attach,
}


def machine() -> dict[str, str | int]:
    """What the figures were made on, as far as the system tells."""
    processor = platform.processor() or platform.machine()
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
        processor = names[0].partition(":")[2].strip()
    except (OSError, IndexError):
        pass
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True
    ).stdout.strip()
    return {
        "processor": processor,
        "processors": os.cpu_count() or 0,
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "commit": commit,
        "load": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
    }


def versions() -> dict[str, str]:
    """Of the other engines."""
    found = {}
    for name, packages in PACKAGES.items():
        if name not in PEERS or not packages:
            continue
        code = f"from importlib.metadata import version; print(version({packages[0]!r}))"
        done = subprocess.run([python_of(name), "-c", code], capture_output=True, text=True)
        found[TITLES[name]] = done.stdout.strip()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs")
    asked = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in asked.only:
        print(f"== {name}", flush=True)
        results[name] = {"quick": asked.quick, "machine": machine(), "found": PARTS[name](asked.quick)}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))
    results["versions"] = versions()
    RESULTS.write_text(json.dumps(results, indent=1))
    text = page(results)
    if asked.quick and asked.out == CHECKOUT / "docs":
        print(text)
        return
    (asked.out / "performance").mkdir(parents=True, exist_ok=True)
    (asked.out / "performance.md").write_text(text)
    plot(results, asked.out / "performance")


if __name__ == "__main__":
    sys.exit(main())
