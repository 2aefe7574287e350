"""Runs the corpus against hotswap and its peers and writes docs/comparison.md.

    python tests/conformance/compare.py [--only NAME ...] [--again]

Each engine gets a virtual environment of its own, with its newest version from PyPI, in `build/peers`.
Results are kept there too; `--again` runs engines that have some.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
PEERS = CHECKOUT / "build" / "peers"
PAGE = CHECKOUT / "docs" / "comparison.md"
FIRST = HERE / "public.txt"
"""The cases that were there before hotswap was."""

FRAMEWORKS = ["flask", "fastapi", "httpx", "pydantic", "attrs", "click", "pytest"]
ENGINES: dict[str, tuple[str, list[str]]] = {
    "hotswap": ("hotswap", [str(CHECKOUT)]),
    "jurigged": ("jurigged", ["jurigged"]),
    "ipython_autoreload": ("IPython `%autoreload 2`", ["ipython"]),
    "ipython_autoreload3": ("IPython `%autoreload 3`", ["ipython"]),
    "superduperreload": ("superduperreload", ["superduperreload", "ipython"]),
    "hmr": ("hmr", ["hmr", "watchfiles"]),
    "limeade": ("limeade", ["limeade"]),
    "xreload": ("xreload", ["xreload"]),
    "module_hot_loading": ("module-hot-loading", ["module-hot-loading"]),
    "importlib_reload": ("`importlib.reload`", []),
    "none": ("no engine", []),
}
TEXT = """\
# Comparison

What the conformance corpus (`tests/conformance`, {count} cases) says of hotswap and of other reload engines for Python.
A case is a small program, one or more edits, and what a user then expects: the process behaves as if it had
been started with the new code, with its state kept. Every engine is driven by an adapter in
`tests/conformance/engines` that hands it each edit directly, so that none is judged by its file watcher.

Made by `nox -s comparison` on Python {python}, {machine}. Do not edit by hand.

{table}

The last two lines count the {first} cases that were written before hotswap was (`tests/conformance/public.txt`).
`weighted`: cases count 1 to 3, by how often real users meet them. Cases whose frameworks or Python version are
missing are left out of an engine's totals. An exception out of an engine is not counted against it, only what the
program then does. A crash of the process and a hang of more than 20 s are failed cases:

{failures}

## Versions

{versions}

## What to read into it, and what not

{first} of the {count} cases were written before hotswap passed any of them. The {later} others came while hotswap was
built, many of them because it failed at something, and stayed once it passed: hotswap's own share of those says little,
and what they ask for is what its authors thought of. No other engine had that chance, so the {first} are the fairer
measure. Where an expectation leaves room, the case says so. Engines that promise less than
"as if started anew, state kept" are measured against a promise they did not make: `importlib.reload` does what it says.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--again", action="store_true", help="also run engines that have results")
    options = parser.parse_args()
    PEERS.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        results = PEERS / f"{name}.json"
        if results.exists() and not options.again and name != "hotswap":
            continue
        print(f"== {name}", flush=True)
        python = environment(name)
        if python is None:
            continue
        command = [sys.executable, str(HERE / "run.py"), "--engine", name, "--python", str(python), "--fork"]
        subprocess.run([*command, "--jobs", "1", "--json", str(results)], check=True)
        kept = json.loads(results.read_text("utf-8"))
        kept["installed"] = installed(python, ENGINES[name][1])
        results.write_text(json.dumps(kept, indent=1), "utf-8")
    write_page()
    return 0


def environment(name: str) -> Path | None:
    """The interpreter of this engine's own environment; None if the engine cannot be installed here."""
    # The second mode of IPython needs no second environment.
    place = PEERS / ("ipython" if name.startswith("ipython") else name)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(place, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", *ENGINES[name][1], *FRAMEWORKS]
    # No time is measured, so hotswap may be built the fast way.
    quick = {"MATURIN_PEP517_ARGS": "--profile dev", "CARGO_TARGET_DIR": str(CHECKOUT / "target")}
    if subprocess.run(command, env={**os.environ, **quick}).returncode != 0:
        print(f"{name} cannot be installed on Python {platform.python_version()}; left out")
        return None
    return python


def installed(python: Path, packages: list[str]) -> str:
    names = ["hotswap" if os.sep in package else package for package in packages]
    if not names:
        return "part of Python"
    code = (
        "import sys, importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in sys.argv[1:]))"
    )
    return subprocess.run(
        [str(python), "-c", code, *names], check=True, capture_output=True, text=True
    ).stdout.strip()


def share(total: list[int]) -> str:
    """The weighted share, rounded down: nearly all is not all."""
    return f"{100 * total[2] // total[3]}%" if total[3] else "-"


def write_page() -> None:
    sys.path.insert(0, str(HERE))
    import run

    found: dict[str, dict[str, Any]] = {}
    for name in ENGINES:
        path = PEERS / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text("utf-8"))
    sums = {name: run.summary(value["results"]) for name, value in found.items()}
    totals = {name: run.totals(groups) for name, groups in sums.items()}
    order = sorted(found, key=lambda name: (name != "hotswap", -totals[name][2] / max(1, totals[name][3])))
    groups = sorted({group for value in sums.values() for group in value})

    lines = ["| | " + " | ".join(ENGINES[name][0] for name in order) + " |", "|---" * (len(order) + 1) + "|"]
    for group in groups:
        cells = [sums[name].get(group) for name in order]
        lines.append(f"| {group} | " + " | ".join(f"{c[0]}/{c[1]}" if c else "-" for c in cells) + " |")
    lines.append("| **total** | " + " | ".join(f"**{totals[n][0]}/{totals[n][1]}**" for n in order) + " |")
    lines.append("| **weighted** | " + " | ".join(f"**{share(totals[n])}**" for n in order) + " |")

    first = set(FIRST.read_text("utf-8").split())
    early = {
        name: run.totals(run.summary([one for one in value["results"] if one["case"] in first]))
        for name, value in found.items()
    }
    lines.append(f"| of {len(first)} | " + " | ".join(f"{early[n][0]}/{early[n][1]}" for n in order) + " |")
    lines.append("| weighted | " + " | ".join(share(early[n]) for n in order) + " |")

    failures = []
    for name in order:
        counts = [
            f"{sum(result['outcome'] == kind for result in found[name]['results'])} {word}"
            for kind, word in (("crash", "crashed"), ("timeout", "hung"), ("broken", "could not start"))
            if any(result["outcome"] == kind for result in found[name]["results"])
        ]
        failures.append(f"- {ENGINES[name][0]}: {', '.join(counts) or 'none of these'}")
    versions = [f"- {ENGINES[name][0]}: {found[name].get('installed', 'unknown')}" for name in order]
    PAGE.write_text(
        TEXT.format(
            count=len(run.all_cases()),
            first=len(first),
            later=len(run.all_cases()) - len(first),
            python=platform.python_version(),
            machine=f"{platform.system()} {platform.machine()}",
            table="\n".join(lines),
            failures="\n".join(failures),
            versions="\n".join(versions),
        ),
        "utf-8",
    )
    print(f"wrote {PAGE.relative_to(CHECKOUT)}")


if __name__ == "__main__":
    sys.exit(main())
