"""What docs/embedding.md shows is what the hosts of these tests are made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable

import pytest

from embed.hosts import HERE, Host

ROOT = HERE.parents[1]
DOCUMENTATION = (ROOT / "docs" / "embedding.md").read_text("utf-8")


def shown(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENTATION, re.DOTALL)
    return block.strip()


def between_marks(source: str) -> str:
    begin, end = (
        re.search(r".*The embedding, as in the documentation.*\n", source),
        re.search(r".*The end of the part in the documentation.*\n", source),
    )
    return source[begin.end() : end.start()].strip()


def test_the_host_in_c_is_the_one_that_is_shown() -> None:
    assert between_marks((HERE / "host.c").read_text("utf-8")) == shown("c")


def test_the_host_in_rust_is_the_one_that_is_shown() -> None:
    assert between_marks((HERE / "pyo3_host" / "src" / "main.rs").read_text("utf-8")) == shown("rust")


@pytest.fixture(scope="module")
def pyo3_host() -> str:
    """Built beside hotswap and not in its target folder, where each would have PyO3 built anew for the other."""
    if shutil.which("cargo") is None:
        pytest.fail("this host is a cargo project; there is no cargo on PATH")
    target = ROOT / "target" / f"embed-{sysconfig.get_config_var('SOABI')}"
    words = [
        "cargo",
        "build",
        "--quiet",
        "--locked",
        "--manifest-path",
        str(HERE / "pyo3_host" / "Cargo.toml"),
    ]
    env = {**os.environ, "PYO3_PYTHON": sys.executable, "CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return str(target / "debug" / "pyo3-host")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["end", "leave"])
def test_a_host_by_pyo3_sees_edits(end: str, pyo3_host: str, start: Callable[..., Host]) -> None:
    libraries = {"LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR")}
    running = start(pyo3_host, env=libraries)
    running.until("plug: answer 1")
    for answer in (2, 3):
        running.save(answer)
        running.until(f"plug: answer {answer}")
    running.save(None, whole="def answer(:\n")
    running.until("plug: rejected")
    running.save(4)
    running.until("plug: answer 4")
    running.say(end)
    out = running.ends_with()
    assert end == "leave" or "host: plug-in true true" in out
