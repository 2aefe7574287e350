"""The words and tables of docs/performance.md."""

from __future__ import annotations

from engines import TITLES

AXES = {
    "file": ("lines of the file", 13),
    "project": ("modules", 1),
    "heap": ("objects alive", 1),
    "defaults": ("", 1),
}

HEAD = """\
# Performance

Made by `nox -s bench` (`nox -s bench -- --quick` for a short look that is only printed). Do not edit by hand.

The engines run in one go and take turns edit by edit, each in a virtual environment of its own, so that whatever else
the machine does hits all alike: read the ratios, not the milliseconds. No test depends on any of these times.

{machines}
{versions}

## From save to live

A program imports a generated project and calls one function over and over, sleeping 0.1 ms in between. A save changes what
the function returns (by renaming a finished file over the old one); the time ends when the program has seen the new value.
Each engine at its smallest delay: hotswap as it comes (its quiet window is 1 ms), jurigged with `debounce=0`, watchfiles
with `debounce=1, step=1`. For IPython it is the time that a cell takes which is run in the moment of the save.
`p50 (min)` in ms of 24 edits; the same project has 200 modules of 1,170 lines and no other objects, if nothing else is said.

{file}

{project}

{heap}

With the delays that the engines have by themselves:

{defaults}
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def latency_table(found: dict, label: str, factor: int = 1) -> str:
    engines = list(dict.fromkeys(engine for of in found.values() for engine in of))
    rows = []
    for size, of in found.items():
        row = [f"{int(size) * factor:,}" if label else "default"]
        for engine in engines:
            each = of.get(engine, {})
            shown = f"{each['p50']:.2f} ({each['min']:.2f})" if each.get("n") else "not run"
            missed = f", {each['missed']} missed" if each.get("missed") else ""
            row.append(shown + missed)
        rows.append(row)
    return table([label or "delay", *(TITLES[engine] for engine in engines)], rows)


def pause_table(latency: dict) -> str:
    rows = []
    for axis, factor, label in (("file", 13, "lines"), ("project", 1, "modules"), ("heap", 1, "objects")):
        for size, of in latency.get(axis, {}).items():
            each = of.get("hotswap", {}).get("alone", {})
            if "held_p50" in each:
                figures = [each[f"{stage}_{at}"] for stage in ("held", "longest") for at in ("p50", "p99")]
                rows.append(
                    [
                        f"{int(size) * factor:,} {label}",
                        *(f"{figure:.2f}" for figure in figures),
                        f"{each['pause_p50']:.3f}",
                        f"{each['gap_p50']:.2f}",
                    ]
                )
    head = ["", "GIL held, p50", "p99", "in one go, p50", "p99", "commit alone, p50", "gap, p50"]
    return table(head, rows)


WHERE_IT_GOES = """\
Where the time goes, in the 1,170-line file, 200 modules (medians of 200 edits with clocks built in, which cost some of it; at 3b50747, not measured again since):

|  | us |
|---|---|
| the kernel tells of the save, the watcher's thread wakes up | 150 |
| the quiet window, in which no other file may be saved | 1,000 |
| meanwhile: the file is read, parsed and compared with its baseline | (480) |
| meanwhile: what changed is compiled, with the GIL | (220) |
| the window's end is noticed, the file is read again and its hash compared, the thread that applies wakes up | 110 |
| Python code around the update: callbacks, plugins | 65 |
| what is loaded, whether a module's body runs, which files belong together | 105 |
| who holds the old function, who imports the module | 55 |
| each statement of the file: does it read something that changed? | 65 |
| the new code is paired with the old; caches, wrappers, docstring | 85 |
| look at the stacks, commit | 30 |
| the report in Rust, the GIL is given away, the program wakes up from its sleep | 170 |

More than half is the quiet window. `watchfiles` at its smallest delay has none.
CPython's compiler holds the GIL two thirds as long as all the rest until the commit, for a function of two lines, as its code and tables are
cold then: in a loop it takes 14 us. It runs in the quiet window, in a stretch of its own.

What still grows with the lines of a file: the compiler reads the end of every line above the function (0.1 ms for 10,000), and each statement
is asked whether it reads something that changed. With 10,010 lines, reading and parsing take longer than the quiet window.

The start with a folder takes longer than the start without: all sources below it are read before `watch` returns, also those that nobody
imports, so that an edit is compared with what was there.
"""


def aims(results: dict) -> str:
    """What was to be reached, and what was."""

    def of(part: str) -> dict:
        return (results.get(part) or {}).get("found") or {}

    rows: list[tuple[str, str, float, float, str]] = []
    """What, how much at most in words, that, what was measured, its unit."""
    base = of("file").get("90", {})
    if base:
        own = base["hotswap"]
        rows.append(("save to live, 1,170 lines", "3 ms", 3, own["p50"], " ms"))
        rows.append(("the same, against jurigged", "1/30", 1 / 30, own["p50"] / base["jurigged"]["p50"], ""))
        reload = base["watchfiles_reload"]["p50"]
        rows.append(("against watchfiles + `importlib.reload`", "1/4", 1 / 4, own["p50"] / reload, ""))
        if alone := own.get("alone"):
            rows.append(("GIL held by it, p99 of 300 edits", "1 ms", 1, alone["held_p99"], " ms"))
        long = of("file").get("770", {}).get("hotswap", {}).get("p50")
        for what, found in (
            ("with 10,010 lines", long),
            ("with 5,000 modules", of("project").get("5000", {}).get("hotswap", {}).get("p50")),
            ("with 3 million objects", of("heap").get("3000000", {}).get("hotswap", {}).get("p50")),
        ):
            if found:
                rows.append((f"save to live {what}", "2 x", 2, found / own["p50"], " x"))
    if start := of("start_up"):
        most = start["plain_ms"] * 0.02 + 10
        rows.append(
            (
                f"start-up of {start['modules']:,} modules",
                "2 % + 10 ms",
                most,
                start["extra_ms"]["hotswap"],
                " ms",
            )
        )
    if steady := of("steady_state"):
        rows.append(
            ("running code, more instructions", "0.1 %", 0.1, steady["extra_percent"]["hotswap"], " %")
        )
    if memory := of("memory"):
        most = memory["sources_mb"] + 5
        rows.append(("memory", "the sources + 5 MiB", most, memory["extra_mb"]["hotswap"], " MiB"))
    if idle := of("wake_ups"):
        most = idle["seconds"] / 10
        rows.append(("wake-ups of an idle thread", "one in 10 s", most, max(idle["wake_ups"].values()), ""))
    if checkout := of("checkout"):
        rows.append(("checkout of 500 files", "1 s", 1000, checkout["median"]["ms"], " ms"))
        rows.append(("longest wait of another thread", "50 ms", 50, checkout["median"]["longest_ms"], " ms"))
    shown = [
        [what, words, f"{found:.3g}{unit}", "yes" if found <= most else "**no**"]
        for what, words, most, found, unit in rows
    ]
    return (
        "## What was to be reached\n\n"
        + table(["", "at most", "found", "met"], shown)
        + "\n\n"
        + WHERE_IT_GOES
    )


def page(results: dict) -> str:
    """docs/performance.md"""
    parts = []
    machines: dict[str, list[str]] = {}
    for name, part in results.items():
        if name == "versions":
            continue
        on = part["machine"]
        line = (
            f"{on['processors']} x {on['processor']}, {on['system']}, CPython {on['python']}, "
            f"commit {on['commit']}, {on['date']}, load {on['load']} at the start"
            + (", **quick sizes**" if part["quick"] else "")
        )
        machines.setdefault(line, []).append(name.replace("_", " "))
    said = "\n".join(f"- {', '.join(names)}: {line}" for line, names in machines.items())
    others = ", ".join(f"{name} {version}" for name, version in results.get("versions", {}).items())
    latency = {axis: part["found"] for axis, part in results.items() if axis in AXES}
    shown = {
        axis: latency_table(found, *AXES[axis])
        + ("" if axis == "defaults" else f"\n\n![p50](performance/latency-by-{axis}.svg)")
        for axis, found in latency.items()
    }
    missing = {axis: f"({axis}: not measured yet.)" for axis in AXES}
    parts.append(HEAD.format(machines=said, versions=f"\nBeside it: {others}.", **{**missing, **shown}))
    parts.append(
        "## The pause\n\nHow long an update holds the GIL, in ms: all in all (`held` in `Report.duration_ms`) and in one go"
        " (`longest`). In each setting above hotswap was run once more, alone, for 300 edits: the 99th percentile of 24 would"
        " be their maximum. The commit itself is a part of it. The gap is the longest time for which the program's own thread"
        " did not come to its turn around an edit, its sleep of 0.1 ms included.\n\n" + pause_table(latency)
    )
    if "checkout" in results:
        found = results["checkout"]["found"]
        median = found["median"]
        parts.append(
            f"## A checkout\n\n`git checkout` changes {found['changed']} of {found['modules']:,} files; from its end to the"
            f" report: {median['ms']:.0f} ms, in {median['batches']:.0f} batch of {median['groups']:.0f} groups. The commit"
            f" took {median['pause_ms']:.1f} ms; the GIL was held for {median['held_ms']:.0f} ms altogether, and the"
            f" longest time that another thread waited was {median['longest_ms']:.0f} ms. (Medians.)"
        )
    if "start_up" in results:
        found = results["start_up"]["found"]
        rows = [
            [TITLES.get(way, way), f"+{extra:.0f} ms", f"{extra / found['plain_ms'] * 100:.1f} %"]
            for way, extra in found["extra_ms"].items()
        ]
        parts.append(
            f"## Start-up\n\nA program that imports {found['modules']:,} modules and ends takes {found['plain_ms']:.0f} ms."
            f" Beside it, as the median of {found['pairs']} pairs (jurigged: of 5):\n\n"
            + table(["", "more", ""], rows)
        )
    if "memory" in results:
        found = results["memory"]["found"]
        rows = [[TITLES[way], f"+{extra:.1f} MiB"] for way, extra in found["extra_mb"].items()]
        parts.append(
            f"## Memory\n\nResident, after {found['modules']:,} modules with {found['sources_mb']:.1f} MiB of source were"
            f" imported and nothing was edited; plain `python` has {found['plain_mb']:.1f} MiB.\n\n"
            + table(["", "more"], rows)
        )
    if (results.get("steady_state") or {}).get("found"):
        found = results["steady_state"]["found"]
        rows = [
            [TITLES[way], f"{percent:+.5f} %"]
            for way, percent in found["extra_percent"].items()
            if way != "none"
        ]
        parts.append(
            f"## Steady state\n\nInstructions (valgrind) that the main thread of a CPU-bound program executes,"
            f" {found['instructions']:,} with plain `python`.\n\n" + table(["", "more"], rows)
        )
    if (results.get("edited_loop") or {}).get("found"):
        found = results["edited_loop"]["found"]
        rows = []
        for version, counts in found["found"].items():
            for what, plain, seen in (
                ("before an edit", "old", "before"),
                ("after it was moved", "new", "after"),
            ):
                more = counts[seen] - counts[plain]
                rows.append(
                    [
                        version,
                        what,
                        f"{counts[plain]:,}",
                        f"{more:+,}",
                        f"{more / counts[plain] * 100:+.5f} %",
                    ]
                )
        parts.append(
            f"## A loop that is edited while it runs\n\nInstructions (valgrind) of {found['turns']:,} rounds of one loop, before hotswap"
            " moves the running call to new code and after that; beside it plain `python`, running the old code or from the"
            " start the new.\n\n" + table(["CPython", "", "plain `python`", "more", ""], rows)
        )
    if "attach" in results:
        found = results["attach"]["found"]
        parts.append(
            f"## Attach\n\n`hotswap attach PID`, {found['count']} times into one idle asyncio program, each time a command of its own:"
            f" {found['watching_p50']:.0f} ms from the start of the command until the program is watched (median; at most"
            f" {found['watching_max']:.0f}). One thread of the program stood still for {found['pause_p50']:.2f} ms (median;"
            f" 95 %: {found['pause_p95']:.2f}, at most {found['pause_max']:.2f})."
        )
    if "wake_ups" in results:
        found = results["wake_ups"]["found"]
        rows = [[name, str(count)] for name, count in sorted(found["wake_ups"].items())]
        parts.append(
            f"## Idle\n\nHow often each thread of an idle program woke up in {found['seconds']} s.\n\n"
            + table(["thread", "wake-ups"], rows)
        )
    parts.append(aims(results))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
