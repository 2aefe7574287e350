"""A target that runs another Python than `hotswap attach` does, and what it then takes for the extension."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import hotswap
from live import edit
from processes import Attachment, Process

Start = Callable[..., Process]
Attach = Callable[..., Attachment]
pytestmark = pytest.mark.slow
PACKAGE = Path(hotswap.__file__).parent
PROGRAM = """
import time
def answer():
    return "old"
print("up")
while True:
    print(answer())
    time.sleep(0.05)
"""


def pythons() -> dict[str, str]:
    """Other interpreters of this machine, by their version."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    found = {}
    for minor in range(9, 14):
        version = f"3.{minor}"
        if sys.version_info[:2] == (3, minor):
            continue
        for candidate in [*sorted(root.glob(f"{version}.*/bin/python")), shutil.which(f"python{version}")]:
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            if candidate is None:
                continue
            done = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
            if done.stdout.strip() == version:
                found[version] = str(candidate)
    return found


@pytest.fixture(scope="module")
def others() -> dict[str, str]:
    found = pythons()
    if not found:
        pytest.skip("there is no other Python here")
    return found


@pytest.fixture
def built(others: dict[str, str]) -> tuple[str, Path]:
    """Another interpreter for which the extension was built beside this one."""
    for version, python in others.items():
        tag = version.replace(".", "")
        for file in PACKAGE.glob(f"_hotswap.cpython-{tag}-*.so"):
            return python, file
    pytest.skip("the extension was built for no other Python here")


def wheel_of(extension: Path, folder: Path, version: str | None = None) -> Path:
    tag = "cp" + extension.name.split("-")[1]
    wheel = folder / f"hotswap-{version or hotswap.__version__}-{tag}-{tag}-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(extension, f"hotswap/{extension.name}")
    return wheel


def test_the_wheel_that_is_missing_is_named(others: dict[str, str], start: Start, attach: Attach) -> None:
    version, python = next(iter(others.items()))
    target = start(PROGRAM, python=python)
    attachment = attach(target)
    said = attachment.ended()
    tag = "cp" + version.replace(".", "")
    assert attachment.process.returncode == 1
    assert f"runs Python {version}." in said
    assert f"hotswap-{hotswap.__version__}-{tag}-{tag}-*.whl" in said
    assert "--wheel DIR" in said
    assert target.newest() == "old"


@pytest.mark.parametrize("given", ["option", "variable"])
def test_the_extension_comes_from_a_wheel(
    given: str, built: tuple[str, Path], start: Start, attach: Attach, tmp_path: Path
) -> None:
    python, extension = built
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel_of(extension, wheels)
    wheel_of(extension, wheels, "0.0.1").write_bytes(b"of another version, and no wheel at all")
    target = start(PROGRAM, python=python)
    if given == "option":
        attachment = attach(target, "--wheel", str(wheels))
    else:
        attachment = attach(target, HOTSWAP_WHEELS=str(wheels))
    attachment.event("watching")
    edit(tmp_path / "program.py", '"old"', '"new"')
    assert attachment.report()["status"] == "applied"
    target.line(lambda line: line == "new")
    assert attachment.end() == 0


def test_the_extension_comes_from_the_environment_of_the_target(
    built: tuple[str, Path], start: Start, attach: Attach, tmp_path: Path
) -> None:
    python, _ = built
    target = start(PROGRAM, python=python, PYTHONPATH=str(PACKAGE.parent))
    attachment = attach(target)
    attachment.event("watching")
    edit(tmp_path / "program.py", '"old"', '"new"')
    target.line(lambda line: line == "new")


def test_a_wheel_that_cannot_be_read(
    others: dict[str, str], start: Start, attach: Attach, tmp_path: Path
) -> None:
    version, python = next(iter(others.items()))
    tag = "cp" + version.replace(".", "")
    wheel = tmp_path / f"hotswap-{hotswap.__version__}-{tag}-{tag}-linux_x86_64.whl"
    wheel.write_bytes(b"no zip")
    target = start(PROGRAM, python=python)
    assert f"{wheel} cannot be read" in attach(target, "--wheel", str(wheel)).ended()
    assert "there is no wheel or folder nowhere" in attach(target, "--wheel", "nowhere").ended()
    assert target.newest() == "old"
