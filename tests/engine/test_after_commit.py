"""Statements that can only run after the commit: other threads are kept out until they have run."""

from __future__ import annotations

import sys
import threading
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


def test_threads_see_the_definitions_with_the_result(late: ModuleType) -> None:
    stop = threading.Event()
    halves: list[tuple[int, int]] = []
    looks = [0, 0]

    def look(at: int) -> None:
        while not stop.is_set():
            seen = vars(late).copy()  # one call of C: all names at one moment
            looks[at] += 1
            if seen["VERSION"] != seen["MADE"]:
                halves.append((seen["VERSION"], seen["MADE"]))

    threads = [threading.Thread(target=look, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2, 42):
            text = TEXT.format(number).replace("MADE = Thing()", f"MADE = {number} and Thing()")
            assert save(late, text).status == "applied"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert late.MADE == 41 and min(looks) > 0
    # The system may take the processor away for longer than a thread waits.
    assert len(set(halves)) <= 2, (halves, looks)
