"""The generated projects that the benchmarks edit."""

from __future__ import annotations

from pathlib import Path

LINES_PER_FUNCTION = 13
"""Of a function and the method that goes with it."""


def module_text(index: int, functions: int, value: int) -> str:
    """A module with so many functions and methods; `value` is what an edit of number 0 changes."""
    out = [f'"""module {index}"""', "import os", "LIMIT = 10", "CACHE = {}", ""]
    if index == 0:
        out += ["def probe():", f"    return {value}", ""]
    for number in range(functions):
        out += [
            f"def fn_{number}(a, b={number}, *args, key=None):",
            f'    """Docstring of {number}."""',
            "    total = 0",
            "    for k in range(a):",
            "        if k % 2:",
            "            total += k * b",
            "        else:",
            "            total -= len(args)",
            "    return total, key",
            "",
        ]
    out += ["class Thing:", "    kind = 'x'"]
    for number in range(functions):
        out += [
            f"    def method_{number}(self, v):",
            "        self.v = v",
            f"        return self.v + {number}",
            "",
        ]
    return "\n".join(out) + "\n"


def edited_text(index: int, functions: int, value: int, kind: str) -> str:
    """The same module after an edit: of a function's body, of a method's, of a constant, or of lines alone."""
    text = module_text(index, functions, value if index == 0 else 0)
    if kind == "method":
        text = text.replace("        return self.v + 0\n", f"        return self.v + {value} * 0\n")
    elif kind == "constant":
        text = text.replace("LIMIT = 10", f"LIMIT = {value}")
    elif kind == "shift":
        text = text.replace("CACHE = {}\n", "CACHE = {}\n" + "# moved\n" * (value % 50 + 1))
    elif kind == "body":
        text = text.replace("    total = 0\n", f"    total = {value}\n", 1)
    return text


def write_project(root: Path, modules: int, functions: int, others: int) -> None:
    """A package `app` whose module `m0` has so many functions, and every other one `others`."""
    package = root / "app"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for index in range(modules):
        count = functions if index == 0 else others
        (package / f"m{index}.py").write_text(module_text(index, count, 0))
