"""Combinations of flags, when the bits of their members move."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

BEFORE = """
import enum

class Rights(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
    RUN = enum.auto()

granted = {Rights.READ | Rights.RUN: 'guest'}
"""
AFTER = BEFORE.replace("    WRITE", "    LIST = enum.auto()\n    WRITE")


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()

    def start(source: str) -> tuple[Any, Path]:
        file = tmp_path / f"flags{next(_numbers)}.py"
        file.write_text(source)
        module = importlib.import_module(file.stem)
        hotswap.sync()
        return module, file

    yield start
    session.stop()


def test_a_combination_that_is_held_means_the_same_members(load: Any) -> None:
    module, file = load(BEFORE)
    rights = module.Rights
    held = rights.WRITE | rights.RUN
    assert held.value == 6
    file.write_text(AFTER)
    assert hotswap.sync().status == "applied"
    assert held is rights.WRITE | rights.RUN
    assert held.value == 12
    assert rights.WRITE in held and rights.LIST not in held
    assert ~held == rights.READ | rights.LIST


def test_a_value_that_had_another_meaning_is_not_remembered(load: Any) -> None:
    module, file = load(BEFORE)
    rights = module.Rights
    assert rights(3) is rights.READ | rights.WRITE
    file.write_text(AFTER)
    assert hotswap.sync().status == "applied"
    assert rights(3) is rights.READ | rights.LIST
    assert rights.READ in rights(3) and rights.WRITE not in rights(3)


def test_only_combinations_that_somebody_holds_stay(load: Any) -> None:
    module, file = load(BEFORE)
    rights = module.Rights
    assert (rights.WRITE | rights.READ).value == 3
    held = rights.WRITE | rights.RUN
    file.write_text(AFTER)
    assert hotswap.sync().status == "applied"
    assert set(rights._value2member_map_) == {1, 2, 4, 8, held.value, 9}
    assert module.granted[rights.READ | rights.RUN] == "guest"


def test_one_of_a_member_that_is_gone_keeps_its_value(load: Any) -> None:
    module, file = load(BEFORE)
    rights = module.Rights
    held = rights.WRITE | rights.RUN
    file.write_text(BEFORE.replace("    RUN = enum.auto()\n", "").replace("Rights.RUN", "Rights.WRITE"))
    assert hotswap.sync().status == "applied"
    assert held.value == 6
    assert [right.name for right in rights] == ["READ", "WRITE"]
