"""An update of many groups lets other threads run between them, and still is one update."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import pytest

import hotswap

GROUPS = 300
TEXT = """\
def make():
    def inner():
        return {0}
    return inner
def plain():
    return {0}
"""


def test_what_others_make_between_two_groups_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"group_{number}" for number in range(GROUPS)]
    for name in names:
        (tmp_path / f"{name}.py").write_text(TEXT.format(1))
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = [importlib.import_module(name) for name in names]
    made: list[list[object]] = [[] for _ in names]
    ended = threading.Event()

    def make() -> None:
        while not ended.is_set():
            for module, list_ in zip(modules, made):
                list_.append(module.make())
                del list_[:-20]

    with hotswap.watch(tmp_path):
        for name in names:
            (tmp_path / f"{name}.py").write_text(TEXT.format(2))
        thread = threading.Thread(target=make)
        thread.start()
        try:
            report = hotswap.sync()
        finally:
            ended.set()
            thread.join()
    assert report.status == "applied" and len(report.groups) == GROUPS
    assert sum(map(len, made)) > GROUPS
    for list_ in made:
        assert {inner() for inner in list_} == {2}  # type: ignore[operator]
    for name in names:
        del sys.modules[name]
