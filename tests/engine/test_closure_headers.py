"""Annotations and default values of live closures, when the source of the inner function's header changes."""

from __future__ import annotations

import importlib
import inspect
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

import hotswap

_numbers = itertools.count(1)

# Up to there annotations are values; later they are evaluated on demand.
eager = pytest.mark.skipif(sys.version_info >= (3, 14), reason="annotations are evaluated on demand")

HEAD = "from typing import Optional\nLIMIT = 7\nflag = 'global'\n\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def made(header: str, head: str = HEAD) -> str:
    """A module with a function that makes a closure with this header."""
    return f"{head}def make(flag=None):\n    count = 0\n    {header}\n        return locals()\n    return inner\n"


def load(folder: Path, source: str) -> tuple[Path, Any]:
    file = folder / f"closure_headers_{next(_numbers)}.py"
    file.write_text(source)
    module = importlib.import_module(file.stem)
    hotswap.sync()
    return file, module


def held(folder: Path, source: str) -> tuple[Any, Path]:
    file, module = load(folder, source)
    return module.make("local"), file


def edited(folder: Path, before: str, after: str) -> tuple[Any, hotswap.Report]:
    """A closure that was made before the edit, and the report of that."""
    live, file = held(folder, before)
    file.write_text(after)
    report = hotswap.sync()
    assert report.error is None
    return live, report


def same_as_fresh(live: Any, source: str) -> None:
    fresh: dict[str, Any] = {"__name__": live.__module__}
    exec(compile(source, "fresh", "exec", dont_inherit=True), fresh)
    new = fresh["make"]("local")
    assert live.__annotations__ == new.__annotations__
    assert list(live.__annotations__) == list(new.__annotations__)
    assert live.__defaults__ == new.__defaults__
    assert live.__kwdefaults__ == new.__kwdefaults__
    assert str(inspect.signature(live)) == str(inspect.signature(new))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def inner(x=1):", "def inner(x=2):"),
        ("def inner(x=1):", "def inner(x=LIMIT):"),
        ("def inner(x=1):", "def inner(x):"),
        ("def inner(x):", "def inner(x=1):"),
        ("def inner(x=1, y=2):", "def inner(y=2):"),
        ("def inner(x=1, y=2):", "def inner(x=1, z=LIMIT, y=2):"),
        ("def inner(*, x=1):", "def inner(*, x=2):"),
        ("def inner(*, x=1):", "def inner(*, x=1, y=LIMIT):"),
        ("def inner(*, x=1):", "def inner(x=1):"),
        ("def inner(x=1):", "def inner():"),
        ("def inner(*, x=1):", "def inner():"),
    ],
)
def test_a_live_closure_has_the_new_default_values(folder: Path, before: str, after: str) -> None:
    live, report = edited(folder, made(before), made(after))
    same_as_fresh(live, made(after))
    assert not [change for change in report.to_dict()["changes"] if change["action"] == "stale"]


@eager
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def inner(x: int) -> int:", "def inner(x: int) -> Optional[int]:"),
        ("def inner(x: int) -> int:", "def inner(x: 'LIMIT') -> int:"),
        ("def inner(x: int) -> int:", "def inner(x):"),
        ("def inner(x):", "def inner(x: int, *more: list[int]) -> int:"),
        ("def inner(x: list[int]):", "def inner(x: list[float]):"),
        ("def inner(x: dict[str, int]):", "def inner(x: dict[str, float]):"),
        ("def inner(x: int):", "def inner(y: int):"),
        ("async def inner(x: int = 1):", "async def inner(x: float = 2.0):"),
    ],
)
def test_a_live_closure_has_the_new_annotations(folder: Path, before: str, after: str) -> None:
    live, _ = edited(folder, made(before), made(after))
    same_as_fresh(live, made(after))


def test_annotations_that_are_texts_follow_as_texts(folder: Path) -> None:
    head = f"from __future__ import annotations\n{HEAD}"
    after = made("def inner(x: Unknown[ 'a' ]) -> flag.x | None:", head)
    live, _ = edited(folder, made("def inner(x: int) -> int:", head), after)
    same_as_fresh(live, after)
    assert live.__annotations__["x"] == "Unknown['a']"


@eager
def test_annotations_become_texts_with_the_future_import(folder: Path) -> None:
    before, after = made("def inner(x: int) -> int:"), made("def inner(x: int) -> 'int':")
    future = f"from __future__ import annotations\n{after}"
    live, _ = edited(folder, before, future)
    same_as_fresh(live, future)


def test_what_is_unchanged_in_the_header_keeps_its_value(folder: Path) -> None:
    live, file = held(folder, made("def inner(seen=[], x=1, *, more={}):"))
    live.__defaults__[0].append(1)
    live.__kwdefaults__["more"]["a"] = 1
    file.write_text(made("def inner(seen=[], x=2, *, more={}, y=3):"))
    hotswap.sync()
    assert live.__defaults__ == ([1], 2)
    assert live.__kwdefaults__ == {"more": {"a": 1}, "y": 3}


def test_what_the_program_has_changed_stays(folder: Path) -> None:
    live, file = held(folder, made("def inner(x: int = 1, y: int = 2):"))
    live.__defaults__ = (10, 2)
    live.__annotations__["x"] = "mine"
    file.write_text(made("def inner(x: float = 3, y: float = 4):"))
    hotswap.sync()
    assert live.__defaults__ == (10, 4)
    assert live.__annotations__["x"] == "mine"


def test_what_only_the_maker_knows_stays_and_is_reported(folder: Path) -> None:
    after = made("def inner(x=flag, y=LIMIT):")
    live, report = edited(folder, made("def inner(x=1, y=2):"), after)
    assert live.__defaults__ == (1, 7)
    stale = [change for change in report.to_dict()["changes"] if change["action"] == "stale"]
    assert [change["qualname"] for change in stale] == ["make.<locals>.inner"]
    assert "`flag`" in stale[0]["reason"]


def test_a_default_value_with_effects_is_not_made_again(folder: Path) -> None:
    before = made("def inner(x=1):", f"{HEAD}log = []\n")
    live, report = edited(folder, before, made("def inner(x=log.append(1)):", f"{HEAD}log = []\n"))
    assert vars(sys.modules[live.__module__])["log"] == []
    assert live.__defaults__ == (1,)
    assert any(change["action"] == "stale" for change in report.to_dict()["changes"])


@eager
def test_what_wraps_another_function_keeps_the_annotations_of_that(folder: Path) -> None:
    before = """
import functools

def decorate(function):
    @functools.wraps(function)
    def wrapper(*args: int):
        return function(*args)
    return wrapper

@decorate
def plain(x: str) -> bytes:
    return x

"""
    file, module = load(folder, before)
    file.write_text(before.replace("*args: int", "*args: float"))
    hotswap.sync()
    assert module.plain.__annotations__ == {"x": str, "return": bytes}


@eager
def test_methods_of_a_class_that_a_function_made(folder: Path) -> None:
    before = f"{HEAD}def make():\n    class Made:\n        own = 1\n        def method(self, x: int = 1) -> int:\n            return x\n    return Made\n"
    file, module = load(folder, before)
    made = module.make()
    method, instance = made.method, made()
    file.write_text(before.replace("x: int = 1) -> int", "x: Optional[int] = LIMIT) -> float"))
    hotswap.sync()
    assert made.method is method
    assert method.__annotations__ == {"x": Optional[int], "return": float}
    assert instance.method() == 7


def test_new_values_of_names_that_an_update_changes_are_taken(folder: Path) -> None:
    live, file = held(folder, made("def inner(x=1):"))
    file.write_text(made("def inner(x=LIMIT):", HEAD.replace("7", "9")))
    hotswap.sync()
    assert live() == {"x": 9}


def test_a_failed_update_leaves_the_header_alone(folder: Path) -> None:
    live, file = held(folder, made("def inner(x: int = 1, *, y: int = 2):"))
    defaults, annotations = live.__defaults__, dict(live.__annotations__)
    file.write_text(made("def inner(x: float = 3, *, y: float = 4):") + "1 / 0\n")
    assert hotswap.sync().error is not None
    assert live.__defaults__ is defaults
    assert live.__annotations__ == annotations
    assert live.__kwdefaults__ == {"y": 2}
    file.write_text(made("def inner(x: float = 3, *, y: float = 4):"))
    hotswap.sync()
    assert live.__defaults__ == (3,)
