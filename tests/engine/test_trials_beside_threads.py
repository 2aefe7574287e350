"""What an update runs under watch, while other threads let go of memory that the run then uses."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from pathlib import Path

import pytest

import hotswap

# Looked at instruction by instruction, it takes longer than other threads are kept away at first; and
# when it is tried again, it lets go of the dict that it made the first time.
BASE = """\
class Base:
    def __init_subclass__(cls):
        cls.fields = {}
        cls.names = cls.collect()
    @classmethod
    def collect(cls):
        for _ in range(150):
            found = {}
            found["names"] = [name for name in cls.__mro__[1].__dict__ if name.startswith("a_")]
        return found
class Kind(Base):
    a_one = 1
"""
DERIVED = "from trial_base import Kind\nclass Derived(Kind):\n    pass\n"


def test_a_long_hook_is_tried_beside_threads_that_let_go_of_dicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    base = tmp_path / "trial_base.py"
    base.write_text(BASE)
    (tmp_path / "trial_derived.py").write_text(DERIVED)
    monkeypatch.syspath_prepend(str(tmp_path))
    derived = importlib.import_module("trial_derived")
    ended = threading.Event()

    def let_go() -> None:
        while not ended.is_set():
            old: list[dict[str, int]] = [{} for _ in range(500)]
            while old and not ended.is_set():
                old.pop()
                time.sleep(0.0002)

    threads = [threading.Thread(target=let_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with hotswap.watch(tmp_path) as session:
            session.pause()
            base.write_text(BASE.replace("a_one", "a_two"))
            session.resume()
            report = hotswap.sync()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert report.status == "applied", str(report)
    assert derived.Derived.names == {"names": ["a_two"]}, str(report)
