"""The plots of docs/performance.md."""

from __future__ import annotations

from pathlib import Path

from engines import TITLES

COLOURS = {
    "hotswap": "#c2410c",
    "watchfiles_reload": "#475569",
    "hmr": "#0e7490",
    "ipython": "#7c3aed",
    "jurigged": "#4d7c0f",
}
AXES = {
    "file": ("lines of the edited file", 13.0),
    "project": ("modules of the program", 1.0),
    "heap": ("objects alive", 1.0),
}


def plot(results: dict, folder: Path) -> None:
    """One SVG for each axis."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "hotswap", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot

    for axis, (label, factor) in AXES.items():
        if axis not in results:
            continue
        found = results[axis]["found"]
        figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
        for engine, colour in COLOURS.items():
            points = [
                (float(size) * factor, of[engine]["p50"])
                for size, of in found.items()
                if of.get(engine, {}).get("n")
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True), "o-", color=colour, label=TITLES[engine].replace("`", "")
                )
        axes.set_yscale("log")
        axes.set_xscale(
            "symlog" if axis == "heap" else "log", **({"linthresh": 1e5} if axis == "heap" else {})
        )
        axes.set_xlabel(label)
        axes.set_ylabel("save to live, p50, ms")
        axes.grid(True, which="major", alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
        figure.tight_layout()
        figure.savefig(folder / f"latency-by-{axis}.svg", metadata={"Date": None})
        pyplot.close(figure)
