from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import fake_engine
import hotswap
from hotswap import _loop


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches a test, and the working directory has no pyproject.toml."""
    import os

    for name in list(os.environ):
        if name.startswith("HOTSWAP"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[fake_engine.FakeEngine]]:
    """The fake engines made in this test, oldest first."""
    monkeypatch.setitem(sys.modules, "hotswap._hotswap", fake_engine.module())
    fake_engine.FakeEngine.made.clear()
    yield fake_engine.FakeEngine.made
    hotswap.stop()
    _loop.before_callbacks.clear()
    _loop.after_callbacks.clear()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory of this test's own, with a short name."""
    folder = tempfile.mkdtemp(prefix="hotswap-test-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    yield Path(folder)
    hotswap.stop()
    shutil.rmtree(folder)
