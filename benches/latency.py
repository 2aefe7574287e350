#!/usr/bin/env python3
"""Save-to-live latency of hot-reload engines, side by side in one run.

A child process imports a generated project of M modules (F functions each) and
holds a heap ballast of K objects; a probe thread calls one function until its
answer changes.  The parent saves an edit of that function and reads, on the same
monotonic clock, when the child first saw the new answer.  Engines take turns edit
by edit, so the machine's drift hits all alike.

  latency.py --engines hotswap,jurigged,watchfiles_reload --modules 200 --functions 20 --ballast 1000000 --edits 30
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from engines import PACKAGES, Program, Setting, compare


def summary(program: Program) -> dict[str, float | int | None]:
    """The figures of one engine."""
    latency, longest = sorted(program.seen.latency_ms), sorted(program.seen.longest_ms)
    if not latency:
        return {"n": 0, "missed": program.seen.missed}
    return {
        "n": len(latency),
        "missed": program.seen.missed,
        "p50_ms": statistics.median(latency),
        "min_ms": latency[0],
        "p95_ms": latency[int(len(latency) * 0.95)],
        "p99_ms": latency[int(len(latency) * 0.99)],
        "stall_p50_ms": statistics.median(longest),
        "stall_p99_ms": longest[int(len(longest) * 0.99)],
        "start_ms": program.ready and program.ready["import_ms"],
        "rss_mb": program.memory_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", default="hotswap,jurigged,watchfiles_reload", help=", ".join(PACKAGES))
    parser.add_argument("--modules", type=int, default=200)
    parser.add_argument("--functions", type=int, default=20)
    parser.add_argument("--others", type=int, help="functions of the modules that are not edited")
    parser.add_argument("--ballast", type=int, default=0)
    parser.add_argument("--edits", type=int, default=15)
    parser.add_argument("--timeout", type=float, default=8)
    parser.add_argument("--min-debounce", action="store_true")
    parser.add_argument("--stages", action="store_true", help="hotswap's own times by stage")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    setting = Setting(
        modules=asked.modules,
        functions=asked.functions,
        others=asked.others,
        ballast=asked.ballast,
        smallest_debounce=asked.min_debounce,
        timeout=asked.timeout,
    )
    programs = compare(asked.engines.split(","), setting, asked.edits)
    figures = {name: summary(program) for name, program in programs.items()}
    print(setting, f"edits={asked.edits}")
    for name, figure in figures.items():
        rounded = {
            key: round(value, 2) if isinstance(value, float) else value for key, value in figure.items()
        }
        print(f"{name:22}", rounded)
    if asked.stages and "hotswap" in programs:
        reports = programs["hotswap"].seen.reports
        for stage in reports[-1] if reports else ():
            times = sorted(report.get(stage, 0.0) for report in reports)
            print(f"  {stage:10} p50 {statistics.median(times):8.3f}   min {times[0]:8.3f}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
