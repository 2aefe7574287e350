"""The hosts, compiled once, and what starts them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embed.hosts import HERE, PART, PLUG, Host, compile_c, linking


@pytest.fixture(scope="session")
def folder_of_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="session")
def c_host(folder_of_hosts: Path) -> str:
    return compile_c(HERE / "host.c", folder_of_hosts / "host")


@pytest.fixture(scope="session")
def static_host(folder_of_hosts: Path) -> str:
    """The interpreter inside the program itself, of whose symbols extension modules make use."""
    return compile_c(HERE / "host.c", folder_of_hosts / "static-host", static=True)


@pytest.fixture(scope="session")
def rust_host(folder_of_hosts: Path) -> str:
    if shutil.which("rustc") is None:
        pytest.fail("one of the hosts is a Rust program; there is no rustc on PATH")
    # As many link arguments as the linker is to get.
    arguments = [word for item in linking() for word in ("-C", f"link-arg={item}")]
    output = folder_of_hosts / "rust-host"
    words = [
        "rustc",
        "--edition",
        "2024",
        "-D",
        "warnings",
        str(HERE / "host.rs"),
        "-o",
        str(output),
        *arguments,
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(output)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Starts a host whose plug-in is told to run by `begin`, and to end by `finish`."""
    hosts = []

    def begin(
        host: str,
        begin: str = "import plug; plug.run()",
        finish: str = "import plug; plug.ended.set()",
        env: dict[str, str] | None = None,
    ) -> Host:
        shutil.copy(PLUG, tmp_path)
        (tmp_path / "part.py").write_text(PART.format(1), encoding="utf-8")
        there = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        hosts.append(Host([host, there + begin, finish], tmp_path, env))
        return hosts[-1]

    yield begin
    for host in hosts:
        host.close()
