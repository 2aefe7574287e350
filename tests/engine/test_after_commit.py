"""Statements that can only run after the commit: other threads are kept out until they have run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import hotswap

TEXT = """\
import sys
VERSION = {0}


class Thing:
    def version(self):
        return {0}


MADE = Thing().version()
INTERVAL = sys.getswitchinterval()
"""


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "late_made.py").write_text(TEXT.format(1))
    session = hotswap.watch(tmp_path)
    session.pause()
    module = __import__("late_made")
    hotswap.sync()
    yield module
    session.stop()
    sys.modules.pop("late_made", None)


def save(module: ModuleType, text: str) -> hotswap.Report:
    assert module.__file__ is not None
    Path(module.__file__).write_text(text)
    return hotswap.sync()


def test_nobody_asks_for_the_lock_while_they_run(late: ModuleType) -> None:
    before = sys.getswitchinterval()
    text = TEXT.format(2).replace(
        "MADE = Thing().version()\n", "MADE = (Thing().version(), sys.getswitchinterval())\n"
    )
    assert save(late, text).status == "applied"
    version, interval = late.MADE
    assert version == 2
    assert interval >= 0.01
    assert sys.getswitchinterval() == before


def test_the_interval_is_given_back_after_a_failure(late: ModuleType) -> None:
    before = sys.getswitchinterval()
    assert save(late, TEXT.format(2) + "1 / Thing().missing\n").status == "rejected"
    assert sys.getswitchinterval() == before
    assert late.VERSION == late.MADE == late.Thing().version() == 1


def test_an_interval_that_the_program_sets_stays(late: ModuleType) -> None:
    before = sys.getswitchinterval()
    try:
        text = TEXT.format(2) + "Thing().version() and sys.setswitchinterval(0.002)\n"
        assert save(late, text).status == "applied"
        assert sys.getswitchinterval() == pytest.approx(0.002)
    finally:
        sys.setswitchinterval(before)
