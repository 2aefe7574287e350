"""Whoever is going through a dict or set while an update changes it goes on through the old content."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)
OLD = "TABLE = {'a': 1, 'b': 2, 'c': 3}\nKINDS = {1, 2, 3}\n"
NEW = "TABLE = {'a': 1, 'c': 4, 'd': 5, 'e': 6, 'f': 7}\nKINDS = {2, 3, 4, 5, 6, 7}\n"

WAYS: dict[str, Callable[[Any], Iterable[Any]]] = {
    "keys": lambda module: module.TABLE,
    "values": lambda module: module.TABLE.values(),
    "items": lambda module: module.TABLE.items(),
    "reversed": lambda module: reversed(module.TABLE),
    "reversed items": lambda module: reversed(module.TABLE.items()),
    "enumerate": lambda module: enumerate(module.TABLE),
    "map": lambda module: map(str, module.TABLE),
    "set": lambda module: module.KINDS,
    "generator": lambda module: (each for each in module.TABLE),
    "zip": lambda module: zip(module.TABLE, itertools.count()),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"gone_through_{next(_numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(OLD)
    with hotswap.watch(tmp_path) as session:
        session.pause()
        yield file
    sys.modules.pop(name, None)


def load(file: Path) -> Any:
    module = __import__(file.stem)
    hotswap.sync()
    return module


@pytest.mark.parametrize("way", WAYS)
def test_iterator_ends_in_the_old_content(file: Path, way: str) -> None:
    module = load(file)
    whole = list(WAYS[way](module))
    begun = iter(WAYS[way](module))
    seen = [next(begun)]
    file.write_text(NEW)
    held = module.TABLE
    assert hotswap.sync().status == "applied"
    assert module.TABLE is held and set(held) == {"a", "c", "d", "e", "f"} and len(module.KINDS) == 6
    seen += begun
    if way == "set":
        # A copy of a set may have another order.
        assert set(seen) <= set(whole)
    else:
        assert seen == whole
    assert list(WAYS[way](module)) != whole


@pytest.mark.parametrize("way", WAYS)
def test_iterator_is_at_its_place_after_a_rollback(file: Path, way: str) -> None:
    module = load(file)
    whole = list(WAYS[way](module))
    begun = iter(WAYS[way](module))
    ended = iter(WAYS[way](module))
    seen = [next(begun), next(begun)]
    late = "\n\ndef fail(x):\n    for each in ENDED:\n        pass\n    1 / 0\n\n\nsorted([1, 2], key=fail)\n"
    module.ENDED = ended
    file.write_text(NEW + late)
    report = hotswap.sync()
    assert (
        report.status == "rejected" and report.error is not None and report.error.type == "ZeroDivisionError"
    )
    assert not any("reference" in note for note in report.notes)
    seen += begun
    assert seen == whole and list(WAYS[way](module)) == whole


def test_caller_goes_through_what_it_updates(file: Path) -> None:
    module = load(file)
    seen = []
    for key in module.TABLE:
        seen.append(key)
        file.write_text(NEW)
        hotswap.sync()
    assert seen == ["a", "b", "c"]
