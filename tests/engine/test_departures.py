"""A file that is deleted or moved in the same save as an edit that is refused: its module stays until that is mended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

Load = Callable[..., "Tree"]


class Tree:
    """Some files, imported and watched."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = settings

    def write(self, **texts: str | None) -> None:
        for name, text in texts.items():
            file = self.folder / f"{name}.py"
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(exist_ok=True)
                file.write_text(text)

    def start(self, main: str = "main") -> Any:
        self.session = hotswap.watch(self.folder, **self.settings)
        self.session.pause()
        module = __import__(main)
        hotswap.sync()
        return module


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Tree]]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made: list[Tree] = []
    before = set(sys.modules)

    def make(**settings: Any) -> Tree:
        made.append(Tree(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        each.session.stop()
    for name in set(sys.modules) - before:
        # Also packages without a file of their own.
        places = [getattr(sys.modules[name], "__file__", None), *getattr(sys.modules[name], "__path__", ())]
        if any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


LEAF = "state = []\n\n\ndef f():\n    return 1\n"


@pytest.mark.parametrize("broken", ["import leaf (\n", "1 / 0\n", "import no_such_module\n"])
def test_deleted_module_stays_until_its_importer_is_mended(tree: Callable[..., Tree], broken: str) -> None:
    program = tree()
    program.write(leaf=LEAF, main="import leaf\n\n\ndef g():\n    import leaf\n    return leaf.f()\n")
    main = program.start()
    leaf = main.leaf
    program.write(leaf=None, main="def g():\n    return 2\n" + broken)
    report = hotswap.sync()
    assert report.status == "rejected" and report.generation == 0
    assert not [change for change in report.changes if change.kind == "module"]
    assert any(note.startswith("leaf: its file is gone, and it stays until") for note in report.notes), report
    assert sys.modules["leaf"] is leaf and main.g() == 1
    for _ in range(2):
        assert hotswap.sync().status == "unchanged"
        assert sys.modules["leaf"] is leaf
    program.write(main="def g():\n    return 2\n")
    report = hotswap.sync()
    assert report.status == "applied", report
    assert "leaf" not in sys.modules and main.g() == 2
    assert hotswap.sync().status == "unchanged"


def test_deleted_file_that_comes_back_while_its_importer_is_broken(tree: Callable[..., Tree]) -> None:
    program = tree()
    program.write(leaf=LEAF, main="import leaf\n")
    main = program.start()
    program.write(leaf=None, main="import leaf (\n")
    assert hotswap.sync().status == "rejected"
    program.write(leaf=LEAF.replace("1", "3"))
    hotswap.sync()
    assert sys.modules["leaf"] is main.leaf and main.leaf.f() == 3
    program.write(main="import leaf\nX = 1\n")
    assert hotswap.sync().status == "applied"
    assert main.X == 1 and main.leaf is sys.modules["leaf"]


def test_deletion_that_concerns_no_refused_file_happens(tree: Callable[..., Tree]) -> None:
    program = tree()
    program.write(leaf=LEAF, other="X = 1\n", main="import leaf, other\n")
    main = program.start()
    program.write(leaf=None, other="X = (\n", main="import other\n")
    report = hotswap.sync()
    # `main` imports `other` and knew `leaf`: they are one.
    assert report.status == "rejected" and "leaf" in sys.modules and hasattr(main, "leaf")
    program.write(leaf=LEAF, other="X = 1\n", main="import leaf, other\n")
    hotswap.sync()
    program.write(alone="Y = 1\n")
    __import__("alone")
    hotswap.sync()
    program.write(alone=None, other="X = (\n")
    report = hotswap.sync()
    assert report.status == "rejected" and "alone" not in sys.modules


@pytest.mark.parametrize("target", ["behind", "pack/leaf", "leaf/__init__"])
def test_moved_module_keeps_its_place_until_its_importer_is_mended(
    tree: Callable[..., Tree], target: str
) -> None:
    program = tree()
    program.write(leaf=LEAF, main="import leaf\nstate = leaf.state\n")
    main = program.start()
    leaf = main.leaf
    leaf.state.append(1)
    before = dict(vars(leaf))
    name = target.replace("/__init__", "").replace("/", ".")
    program.write(**{"leaf": None, target: LEAF})
    program.write(main=f"import {name} as leaf\nstate = leaf.state\n1 / 0\n")
    report = hotswap.sync()
    assert report.status == "rejected"
    assert {**vars(leaf)} == before and list(vars(leaf)) == list(before)
    assert sys.modules["leaf"] is leaf
    assert leaf.f.__code__.co_filename.endswith("leaf.py")
    assert name == "leaf" or name not in sys.modules
    assert hotswap.sync().status == "unchanged"
    program.write(main=f"import {name} as leaf\nstate = leaf.state\n")
    report = hotswap.sync()
    assert report.status == "applied", report
    assert sys.modules[name] is leaf and leaf.__name__ == name and leaf.state == [1]
    assert leaf.f.__module__ == name
    assert main.state is leaf.state and leaf.f.__code__.co_filename != before["__file__"]


def test_module_that_moves_with_an_edit_that_fails(tree: Callable[..., Tree]) -> None:
    program = tree()
    long = LEAF + "\n\ndef h():\n    return 1\n\n\ndef i():\n    return 1\n"
    program.write(leaf=long, main="import leaf\n")
    main = program.start()
    leaf = main.leaf
    program.write(leaf=None, behind=long + "1 / 0\n", main="import behind as leaf\n")
    report = hotswap.sync()
    assert report.status == "rejected"
    assert sys.modules["leaf"] is leaf and "behind" not in sys.modules
    assert leaf.__name__ == "leaf" and leaf.__file__.endswith("leaf.py")
    assert hotswap.sync().status == "unchanged"
    program.write(behind=long.replace("return 1", "return 2", 1))
    report = hotswap.sync()
    assert report.status == "applied", report
    assert sys.modules["behind"] is leaf is main.leaf and leaf.f() == 2 and "leaf" not in sys.modules


def test_two_importers_of_a_moved_module_are_one_group(tree: Callable[..., Tree]) -> None:
    program = tree()
    program.write(leaf=LEAF, one="import leaf\nX = 1\n", two="import leaf\nX = 1\n", main="import one, two\n")
    program.start()
    one, two = sys.modules["one"], sys.modules["two"]
    program.write(leaf=None, behind=LEAF)
    program.write(one="import behind as leaf\nX = 2\n", two="import behind as leaf\nX = 2 / 0\n")
    report = hotswap.sync()
    assert report.status == "rejected" and one.X == two.X == 1  # type: ignore[attr-defined]
    assert "leaf" in sys.modules and "behind" not in sys.modules


def test_deletion_waits_for_an_update_that_is_held(tree: Callable[..., Tree]) -> None:
    program = tree(consistency="quiescent", quiescence_timeout=0.05)
    busy = "import threading\nimport leaf\nentered, leave = threading.Event(), threading.Event()\n\n\ndef g():\n    entered.set()\n    leave.wait(10)\n    return leaf.f()\n"
    program.write(leaf=LEAF, main=busy)
    main = program.start()
    thread = threading.Thread(target=main.g)
    thread.start()
    assert main.entered.wait(10)
    program.write(leaf=None, main=busy.replace("import leaf\n", "").replace("leaf.f()", "2"))
    report = hotswap.sync()
    assert report.status == "held" and "leaf" in sys.modules
    main.leave.set()
    thread.join(10)
    report = hotswap.sync()
    assert report.status == "applied" and "leaf" not in sys.modules and main.g() == 2


def test_deletion_in_the_background(tree: Callable[..., Tree]) -> None:
    program = tree()
    program.write(leaf=LEAF, main="import leaf\n")
    main = program.start()
    seen = threading.Semaphore(0)
    statuses: list[str] = []

    @hotswap.after_update
    def after(report: hotswap.Report) -> None:
        statuses.append(report.status)
        seen.release()

    try:
        program.write(leaf=None, main="import leaf (\n")
        program.session.resume()
        assert seen.acquire(timeout=10)
        while statuses[-1] != "rejected":
            assert seen.acquire(timeout=10), statuses
        assert sys.modules["leaf"] is main.leaf
        program.write(main="X = 1\n")
        while statuses[-1] != "applied":
            assert seen.acquire(timeout=10), statuses
        assert "leaf" not in sys.modules and main.X == 1
    finally:
        from hotswap import _loop

        _loop.after_callbacks.remove(after)
