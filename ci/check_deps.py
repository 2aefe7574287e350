"""Checks who depends on whom, by the rules in ARCHITECTURE.md.

python ci/check_deps.py
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The members of the workspace that each crate may know, and whether it may know PyO3.
ALLOWED: dict[str, tuple[set[str], bool]] = {
    "hotswap-watch": (set(), False),
    "hotswap-plan": (set(), False),
    "hotswap-attach": (set(), False),
    "hotswap-cpython": (set(), True),
    "hotswap-apply": ({"hotswap-plan", "hotswap-cpython"}, True),
    "hotswap-python": (
        {"hotswap-watch", "hotswap-plan", "hotswap-attach", "hotswap-cpython", "hotswap-apply"},
        True,
    ),
}
FORBID_UNSAFE = ("hotswap-watch", "hotswap-plan", "hotswap-apply")


def main() -> int:
    problems = [*crate_problems(), *unsafe_problems(), *python_problems()]
    for problem in problems:
        print(problem)
    print("dependencies: " + (f"{len(problems)} against the rules" if problems else "as they should be"))
    return 1 if problems else 0


def crate_problems() -> list[str]:
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    members = {package["name"]: package for package in metadata["packages"]}
    problems = []
    for name, package in members.items():
        if name not in ALLOWED:
            problems.append(
                f"{name}: a new crate; say in ci/check_deps.py what it may depend on, and why it is one"
            )
            continue
        if Path(package["manifest_path"]).parent.name != name:
            problems.append(f"{name}: its folder has another name")
        allowed, pyo3 = ALLOWED[name]
        wanted = {dependency["name"] for dependency in package["dependencies"]}
        for other in sorted(wanted & members.keys() - allowed - {name}):
            problems.append(f"{name} depends on {other}")
        if not pyo3:
            problems += [f"{name} depends on {other}" for other in sorted(wanted) if other.startswith("pyo3")]
    return problems


def unsafe_problems() -> list[str]:
    return [
        f"{crate}: lib.rs does not forbid unsafe code"
        for crate in FORBID_UNSAFE
        if "#![forbid(unsafe_code)]" not in (ROOT / "crates" / crate / "src" / "lib.rs").read_text("utf-8")
    ]


def python_problems() -> list[str]:
    problems = []
    package = ROOT / "python" / "hotswap"
    for path in package.rglob("*.py"):
        if "integrations" in path.relative_to(package).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            if any(name.startswith("hotswap.integrations") for name in names):
                problems.append(f"{path.relative_to(ROOT)}:{node.lineno} imports integrations")  # type: ignore[attr-defined]
    return problems


if __name__ == "__main__":
    sys.exit(main())
