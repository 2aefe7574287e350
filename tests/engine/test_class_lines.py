"""The line that a class notes where a function makes it, which CPython has since 3.13, when the function moves."""

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

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="a class notes no line")

SOURCE = """
def make():
    class Outer:
        LINE = 3

        class Inner:
            def method(self):
                return self

    return Outer


def decorated():
    def same(item):
        return item

    def inner():
        @same
        class Made:
            pass

        return Made

    return inner


class Holder:
    def make(self):
        class Local:
            pass

        return Local
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def load(folder: Path, source: str) -> tuple[Path, Any]:
    file = folder / f"class_lines_{next(_numbers)}.py"
    file.write_text(source)
    module = importlib.import_module(file.stem)
    hotswap.sync()
    return file, module


def lines(module: Any) -> list[int]:
    outer = module.make()
    classes = [outer, outer.Inner, module.decorated()(), module.Holder().make()]
    return [vars(kind)["__firstlineno__"] for kind in classes]


@pytest.mark.parametrize("by", [1, 4, 200, 300])
def test_a_class_notes_the_line_where_its_function_has_moved_to(folder: Path, by: int) -> None:
    file, module = load(folder, SOURCE)
    before = lines(module)
    inner = module.decorated()
    for moved in (by, 2 * by, 0):
        file.write_text("# moved\n" * moved + SOURCE)
        assert hotswap.sync().status in ("applied", "unchanged")
        assert lines(module) == [line + moved for line in before]
        assert vars(inner())["__firstlineno__"] == before[2] + moved


def test_another_use_of_the_same_number_stays(folder: Path) -> None:
    file, module = load(folder, SOURCE)
    assert module.make().LINE == lines(module)[0] == 3
    file.write_text("\n" * 5 + SOURCE)
    hotswap.sync()
    assert (module.make().LINE, lines(module)[0]) == (3, 8)
    file.write_text("\n" * 300 + SOURCE)
    hotswap.sync()
    assert (module.make().LINE, lines(module)[0]) == (3, 303)
    file.write_text("\n" * 400 + SOURCE)
    hotswap.sync()
    assert (module.make().LINE, lines(module)[0]) == (3, 403)


def test_methods_of_classes_that_a_function_made_take_later_edits(folder: Path) -> None:
    file, module = load(folder, SOURCE)
    held = module.make().Inner()
    file.write_text("\n" * 7 + SOURCE)
    hotswap.sync()
    file.write_text("\n" * 9 + SOURCE.replace("return self\n", "return 'new'\n"))
    hotswap.sync()
    assert (held.method(), module.make().Inner().method()) == ("new", "new")


def test_a_refused_move_leaves_the_lines(folder: Path) -> None:
    file, module = load(folder, SOURCE)
    before = lines(module)
    for failing in ("raise ValueError\n", "sorted([1], key=str)\nraise ValueError\n"):
        file.write_text("\n" * 3 + SOURCE + failing)
        assert hotswap.sync().status == "rejected"
        assert lines(module) == before


@pytest.mark.parametrize("kind", ["block", "said to be elsewhere"])
def test_a_class_that_moves_with_what_stands_around_it(folder: Path, kind: str) -> None:
    if kind == "block":
        text = "if False:\n    class Made: pass\nelse:\n    class Made:\n        VALUE = 1\n"
    else:
        text = "class Made:\n    __module__ = 'elsewhere'\n    def method(self): pass\n"
    name = f"class_lines_around{next(_numbers)}"
    file = folder / f"{name}.py"
    file.write_text(text)
    module: Any = importlib.import_module(name)
    hotswap.sync()
    made, line = module.Made, module.Made.__firstlineno__
    file.write_text("# A line.\n# Another.\n" + text)
    hotswap.sync()
    assert module.Made is made and made.__firstlineno__ == line + 2


@pytest.mark.parametrize(
    ("before", "after"),
    [("One", "Two"), ("One", "One, Two"), ("metaclass=Kind", "One, metaclass=Kind"), ("One", "Slotted")],
)
def test_a_class_that_is_made_anew_notes_its_line(folder: Path, before: str, after: str) -> None:
    text = (
        "class Kind(type): pass\nclass One: pass\nclass Two: pass\nclass Slotted:\n    __slots__ = ('a',)\n"
    )
    text += "{}class Made({}):\n    def method(self):\n        return 1\n"
    file, module = load(folder, text.format("", before))
    assert vars(module.Made)["__firstlineno__"] == 6
    file.write_text(text.format("\n", after))
    assert hotswap.sync().status == "applied"
    assert vars(module.Made)["__firstlineno__"] == 7 and module.Made.__module__ == file.stem
