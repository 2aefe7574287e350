"""The task list, the same here and in CI: `nox -l` names the tasks, `nox -s lint` runs one.

Needs Rust, and at least one CPython: each of 3.9 to 3.13 found on PATH or under pyenv gets a `test` session.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox
from nox.command import CommandFailed

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
FRAMEWORKS = ("flask", "fastapi", "httpx", "pydantic", "attrs", "click", "pytest")
TEST_NEEDS = (
    "pytest",
    "pytest-timeout",
    "coverage",
    "gevent",
    "eventlet",
    "flask",
    "waitress",
    "textual",
    "pyte",
    "fastapi",
    "httpx",
    "typer",
    "prometheus_client",
    "sqlalchemy",
    "gunicorn",
    "uvicorn",
    "ipykernel",
)
FILES_AT_ONCE = 10
"""Files of tests that run in one process."""
FUZZ = ("cargo", "run", "--quiet", "--package", "hotswap-plan", "--example", "fuzz", "--")
# Packages whose functions are compiled one by one and compared with a compile of their files.
COMPILED = (
    "attrs",
    "click",
    "fastapi",
    "flask",
    "httpx",
    "hypothesis",
    "jinja2",
    "pydantic",
    "pytest",
    "rich",
    "starlette",
    "typer",
)
CRATES_WITHOUT_PYTHON = ("hotswap-watch", "hotswap-plan", "hotswap-attach")

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


def find_pythons() -> dict[str, str]:
    """The interpreter to use for each version: pyenv's newest, else the one on PATH."""
    found: dict[str, str] = {}
    for version in VERSIONS:
        candidates = [*pyenv_pythons(version), shutil.which(f"python{version}")]
        for candidate in candidates:
            if candidate and answers_as(candidate, version):
                found[version] = candidate
                break
    return found


def pyenv_pythons(version: str) -> list[str]:
    root = os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    folders = Path(root, "versions").glob(f"{version}.*")
    released = [folder for folder in folders if re.fullmatch(r"\d+\.\d+\.\d+", folder.name)]
    released.sort(key=lambda folder: int(folder.name.rpartition(".")[2]), reverse=True)
    return [str(folder / "bin" / "python") for folder in released]


def answers_as(python: str, version: str) -> bool:
    """Whether this really is that version: a version manager's shim may be an empty promise."""
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == version


PYTHONS = find_pythons()
NEWEST = next(
    (PYTHONS[version] for version in ("3.12", "3.13", "3.11", "3.10", "3.9") if version in PYTHONS), None
)


def rust_environment(python: str) -> dict[str, str]:
    """What cargo needs to build against this interpreter, and to run tests that embed it."""
    done = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')"],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [done.stdout.strip(), os.environ.get("LD_LIBRARY_PATH", "")]
    return {"PYO3_PYTHON": python, "LD_LIBRARY_PATH": os.pathsep.join(path for path in paths if path)}


def build(session: nox.Session) -> None:
    """Build the native part for this session's Python and install the package into its environment."""
    session.install("maturin>=1.16,<2")
    # The unoptimised profile: the same checks in a fraction of the time.
    session.run("maturin", "develop", "--profile", os.environ.get("BUILD_PROFILE", "dev"), "--quiet")


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Formatting, lints and types of the Rust and the Python."""
    session.install("ruff>=0.17,<0.18", "mypy>=2.4,<3")
    rust = rust_environment(str(session.python))
    session.run("cargo", "fmt", "--all", "--check", external=True)
    session.run(
        "cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings", external=True, env=rust
    )
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=NEWEST)
def deps(session: nox.Session) -> None:
    """The directions of dependency between the crates."""
    session.run("python", "ci/check_deps.py")


@nox.session(python=NEWEST)
def rust(session: nox.Session) -> None:
    """The crates that need no Python, and the watcher from outside."""
    session.install("pytest", "pytest-timeout")
    there = [crate for crate in CRATES_WITHOUT_PYTHON if Path("crates", crate).is_dir()]
    packages = [word for crate in there for word in ("--package", crate)]
    session.run("cargo", "test", "--quiet", *packages, external=True)
    session.run("pytest", "--timeout", "300", "tests/watch")
    session.run(*FUZZ, "--cases", "400", "--seed", "1", "python", "tests", external=True)


@nox.session(python=NEWEST)
def fuzz(session: nox.Session) -> None:
    """The planner under random edits of the standard library and of installed packages (10 minutes)."""
    session.install(*FRAMEWORKS)
    code = "import sysconfig as s; print(s.get_path('stdlib'), s.get_path('purelib'), sep='\\n')"
    folders = session.run("python", "-c", code, silent=True)
    release = [*FUZZ[:2], "--release", *FUZZ[2:]]
    asked = session.posargs or ["--seconds", "600", "--seed", "1"]
    session.run(*release, *asked, *str(folders).split("\n")[:2], external=True)
    for version in PYTHONS:
        session.notify(f"failures-{version}")


@nox.session(python=NEWEST)
def cross(session: nox.Session) -> None:
    """The crates that need no Python, checked for systems that are not at hand."""
    stand_in = str(Path("ci/stand-in-archiver").resolve())
    there = [crate for crate in CRATES_WITHOUT_PYTHON if Path("crates", crate).is_dir()]
    packages = [word for crate in there for word in ("--package", crate)]
    for target in ("aarch64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"):
        session.run("rustup", "target", "add", target, external=True, silent=True)
        session.run(
            "cargo", "check", *packages, "--target", target, external=True, env={"CC": "true", "AR": stand_in}
        )


@nox.session(python=False)
def wine(session: nox.Session) -> None:
    """The crates that need no Python under Wine, and the extension module linked for Windows (minutes)."""
    session.run("bash", "ci/wine", *session.posargs, external=True)


@nox.session(python=False)
def forky(session: nox.Session) -> None:
    """Tests and corpus on CPython 3.14 and 3.15 of Debian forky, in a folder (half an hour, 3 GB)."""
    session.run("bash", "ci/forky", *session.posargs, external=True)


@nox.session(python=NEWEST)
def stubs(session: nox.Session) -> None:
    """`_hotswap.pyi` against the built module."""
    session.install("mypy")
    build(session)
    session.run("python", "-m", "mypy.stubtest", "hotswap._hotswap", "--ignore-missing-stub")


@nox.session(python=NEWEST)
def package(session: nox.Session) -> None:
    """The source distribution: build it, install it, run the demonstration with it."""
    session.install("maturin>=1.16,<2")
    output = Path(session.create_tmp())
    session.run("maturin", "sdist", "--out", str(output))
    newest = max(output.glob("hotswap-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    session.run(
        "pip",
        "install",
        "--quiet",
        "--force-reinstall",
        str(newest),
        env={"MATURIN_PEP517_ARGS": "--profile dev", "CARGO_TARGET_DIR": str(Path("target").resolve())},
    )
    session.run("python", "examples/demo.py")


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """docs/performance.md: hotswap beside other engines (an hour; `-- --quick`: minutes)."""
    os.environ.setdefault("BUILD_PROFILE", "release")
    session.install("matplotlib")
    build(session)
    session.run("python", "benches/bench.py", *session.posargs)


@nox.session(python=NEWEST)
def property(session: nox.Session) -> None:
    """Random programs and edits against cold starts, many; PROPERTY_SEED says where to begin."""
    session.install("pytest", "pytest-timeout")
    build(session)
    os.environ.setdefault("PROPERTY_SEEDS", "5000")
    session.run("pytest", "--timeout", "3600", "tests/property", *session.posargs)


@nox.session(python=NEWEST)
def comparison(session: nox.Session) -> None:
    """docs/comparison.md: the corpus against other engines, each from PyPI in its own environment."""
    session.run("python", "tests/conformance/compare.py", *session.posargs)


def test_groups(asked: list[str]) -> list[list[str]]:
    """What is run in one process each: the folders of the tests, the largest in parts."""
    folders = [Path(word) for word in asked] or sorted(set(Path("tests").iterdir()) - {Path("tests/watch")})
    if asked and not all(folder.is_dir() for folder in folders):
        return [asked]
    groups = []
    for folder in folders:
        files = sorted(str(test) for test in folder.glob("test_*.py"))
        groups += [files[at : at + FILES_AT_ONCE] for at in range(0, len(files), FILES_AT_ONCE)]
    return groups


def add_sessions(version: str, python: str) -> None:
    """The sessions that there are for each interpreter: tests, corpus, and the long runs."""

    @nox.session(name=f"test-{version}", python=python)
    def test(session: nox.Session) -> None:
        """The Python tests."""
        session.install(*TEST_NEEDS)
        build(session)
        # The slow ones run on one version, or where paths are given.
        marks = [] if session.posargs or python == NEWEST else ["-m", "not slow"]
        # So do most of the random programs.
        env = {} if python == NEWEST else {"PROPERTY_SEEDS": os.environ.get("PROPERTY_SEEDS", "30")}
        # Each folder in a process of its own: an update may look at every object of its process, and
        # those of the frameworks and of a thousand earlier tests would make it ten times as slow.
        failed = []
        for paths in test_groups(session.posargs):
            try:
                session.run("pytest", "--timeout", "300", *marks, *paths, env=env)
            except CommandFailed:
                failed.append(" ".join(paths))
        if failed:
            session.error(f"failed: {', '.join(failed)}")

    @nox.session(name=f"cpython-{version}", python=python)
    def cpython(session: nox.Session) -> None:
        """The Rust tests of what is private to this CPython, and of what it compiles a function to."""
        rust = rust_environment(python)
        for package in ("hotswap-cpython", "hotswap-apply"):
            session.run("cargo", "test", "--quiet", "--package", package, external=True, env=rust)
        if python == NEWEST or session.posargs:
            session.install(*COMPILED)
            code = "import sysconfig; print(sysconfig.get_path('purelib'))"
            rust["PYTHONPATH"] = str(session.run("python", "-c", code, silent=True)).strip()
            skeletons = ("cargo", "test", "--quiet", "--package", "hotswap-apply", "--test", "skeletons")
            session.run(*skeletons, "--", "--ignored", "--nocapture", external=True, env=rust)

    @nox.session(name=f"conformance-{version}", python=python)
    def conformance(session: nox.Session) -> None:
        """The conformance corpus against its floor."""
        session.install(*FRAMEWORKS)
        build(session)
        session.run("python", "tests/conformance/check_floor.py", *session.posargs)

    @nox.session(name=f"stress-{version}", python=python)
    def stress(session: nox.Session) -> None:
        """Threads and tasks look on during 1,000 updates (minutes)."""
        build(session)
        session.run("python", "-X", "faulthandler", "tests/reliability/stress.py", *session.posargs)

    @nox.session(name=f"soak-{version}", python=python)
    def soak(session: nox.Session) -> None:
        """20,000 updates in one process; nothing may have grown (minutes)."""
        build(session)
        session.run("python", "-X", "faulthandler", "tests/reliability/soak.py", *session.posargs)

    @nox.session(name=f"exits-{version}", python=python)
    def exits(session: nox.Session) -> None:
        """20 ends of an interpreter in each mode: idle, in the middle of an update, forked (a minute)."""
        build(session)
        session.run("python", "tests/reliability/exits.py", *session.posargs)

    @nox.session(name=f"rounds-{version}", python=python)
    def rounds(session: nox.Session) -> None:
        """`threads/*` and `failure/*` of the corpus 20 times in a row (minutes)."""
        session.install(*FRAMEWORKS)
        build(session)
        session.run("python", "tests/reliability/rounds.py", *session.posargs)

    @nox.session(name=f"attaches-{version}", python=python)
    def attaches(session: nox.Session) -> None:
        """200 attachments into each of four kinds of process (minutes)."""
        build(session)
        session.run("python", "tests/attach/many.py", *session.posargs, env={"PYTHONPATH": "tests"})

    @nox.session(name=f"failures-{version}", python=python)
    def failures(session: nox.Session) -> None:
        """Random edits that fail; the process is as before (minutes; `fuzz` ends with these)."""
        build(session)
        session.run("python", "-X", "faulthandler", "tests/reliability/failures.py")


@nox.session(python=False)
def rounds(session: nox.Session) -> None:
    """`rounds-3.x` for each CPython of which the corpus is run."""
    for version in ("3.11", "3.12", "3.13"):
        if version in PYTHONS:
            session.notify(f"rounds-{version}")


@nox.session(python=False)
def stress(session: nox.Session) -> None:
    """`stress-3.x` for each CPython found."""
    for version in PYTHONS:
        session.notify(f"stress-{version}")


@nox.session(python=False)
def attaches(session: nox.Session) -> None:
    """`attaches-3.x` for each CPython found."""
    for version in PYTHONS:
        session.notify(f"attaches-{version}")


@nox.session(python=False)
def soak(session: nox.Session) -> None:
    """`soak-3.x` for each CPython found."""
    for version in PYTHONS:
        session.notify(f"soak-{version}")


@nox.session(python=False)
def exits(session: nox.Session) -> None:
    """`exits-3.x` for each CPython found."""
    for version in PYTHONS:
        session.notify(f"exits-{version}")


for found_version, found_python in PYTHONS.items():
    add_sessions(found_version, found_python)
