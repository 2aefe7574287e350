"""Runs the corpus against hotswap on this interpreter and compares with the floor.

    python tests/conformance/check_floor.py           exit code 1 if a case of the floor does not pass
    python tests/conformance/check_floor.py --raise   add the cases that pass now to the floor

`floor.json` lists, for each CPython, the cases that pass. A floor only rises: cases are added, never taken away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FLOOR = HERE / "floor.json"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--raise", dest="raise_floor", action="store_true", help="add what passes now to the floor"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--case", default="*", help="only the cases that match this glob")
    parser.add_argument("--json", help="also keep the results in this file")
    options = parser.parse_args()

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    results = run_corpus(options.jobs, options.case, options.json)
    floors: dict[str, list[str]] = json.loads(FLOOR.read_text("utf-8")) if FLOOR.exists() else {}
    passed = {result["case"] for result in results if result["outcome"] == "pass"}
    ran = {result["case"] for result in results}
    print_table(results)

    if options.raise_floor:
        floors[version] = sorted(set(floors.get(version, ())) | passed)
        FLOOR.write_text(json.dumps(dict(sorted(floors.items())), indent=1) + "\n", "utf-8")
        print(f"the floor of {version} is now {len(floors[version])} cases")
        return 0

    below = sorted((set(floors.get(version, ())) & ran) - passed)
    above = sorted(passed - set(floors.get(version, ())))
    for result in results:
        if result["case"] in below:
            print(f"BELOW THE FLOOR  {result['case']}: {result['outcome']}  {result.get('why', '')}")
    if version not in floors:
        print(f"there is no floor for {version} yet; --raise makes one")
    if above and version in floors:
        print(f"{len(above)} cases pass that are not in the floor; --raise adds them: {', '.join(above)}")
    broken = [result for result in results if result["outcome"] in ("crash", "timeout")]
    for result in broken:
        print(f"{result['outcome'].upper()}  {result['case']}  {result.get('why', '')}")
    failed = len(ran - passed) - sum(result["outcome"] == "skip" for result in results)
    print(f"conformance on {version}: {len(passed)} passed, {failed} failed, {len(below)} below the floor")
    return 1 if below or broken else 0


def run_corpus(jobs: int, case: str, keep: str | None) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as temporary:
        output = keep or os.path.join(temporary, "results.json")
        command = [sys.executable, str(HERE / "run.py"), "--engine", "hotswap", "--python", sys.executable]
        command += ["--fork", "--jobs", str(jobs), "--case", case, "--json", output]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(output, encoding="utf-8") as file:
            results: list[dict[str, Any]] = json.load(file)["results"]
    return results


def print_table(results: list[dict[str, Any]]) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result["outcome"] != "skip":
            groups.setdefault(result["case"].split("/")[0], []).append(result)
    for name, members in [*sorted(groups.items()), ("total", [r for rs in groups.values() for r in rs])]:
        passing = [result for result in members if result["outcome"] == "pass"]
        weight = sum(result["weight"] for result in members)
        share = 100 * sum(result["weight"] for result in passing) / weight if weight else 0
        print(f"{name:12} {len(passing):3}/{len(members):<3} {share:5.1f} % weighted")


if __name__ == "__main__":
    sys.exit(main())
