"""What decorators set on the functions of properties and static methods, in classes that are made anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

OLD = """\
import abc
def tag(function):
    function.tag = 1
    return function
class Other:
    pass
class Shape:
    @property
    def size(self):
        raise NotImplementedError
    @staticmethod
    @tag
    def plain():
        return 1
    @classmethod
    def made(cls):
        return 1
def shown():
    held = vars(Shape)
    functions = held["size"].fget, held["plain"].__func__, held["made"].__func__
    return [vars(each) for each in functions], sorted(getattr(Shape, "__abstractmethods__", ()))
"""
NEW = (
    OLD.replace("class Other:", "class Other(abc.ABC):")
    .replace("class Shape:", "class Shape(Other):")
    .replace("    @property\n", "    @property\n    @abc.abstractmethod\n")
    .replace("    @staticmethod\n    @tag\n", "    @staticmethod\n")
    .replace("    @classmethod\n", "    @classmethod\n    @tag\n")
)


def test_they_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "wrapped_attributes.py"
    file.write_text(OLD)
    session = hotswap.watch(tmp_path)
    try:
        session.pause()
        module = __import__("wrapped_attributes")
        size = module.Shape.size.fget
        file.write_text(NEW)
        report = hotswap.sync()
        assert report.status == "applied", report
        command = [sys.executable, "-B", "-c", "import wrapped_attributes as module; print(module.shown())"]
        cold = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        assert str(module.shown()) == cold.stdout.strip()
        assert module.Shape.size.fget is size
    finally:
        session.stop()
        sys.modules.pop("wrapped_attributes", None)


LIBRARY = """\
class Note:
    def __init__(self, text):
        self.text = text
    def __repr__(self):
        return f"Note({self.text!r})"
WRITTEN = []
class Writes(Note):
    def __init__(self, text):
        super().__init__(text)
        WRITTEN.append(text)
"""
ANNOTATED = """\
from typing import Annotated, Any, Callable
from annotation_library import KIND
def run(function: Annotated[Callable[..., Any], KIND("called")]) -> None:
    pass
"""


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="annotations are evaluated when somebody asks")
@pytest.mark.parametrize("kind", ["Note", "Writes"])
def test_annotations_with_calls_that_are_not_known(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They follow what they read where that is seen to be harmless; else the report says so."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in (("library", LIBRARY), ("project", ANNOTATED.replace("KIND", kind))):
        (tmp_path / name).mkdir()
        monkeypatch.syspath_prepend(str(tmp_path / name))
        (tmp_path / name / f"annotation_{name}.py").write_text(text)
    file = tmp_path / "project" / "annotation_project.py"
    session = hotswap.watch(tmp_path / "project")
    try:
        session.pause()
        module = __import__("annotation_project")
        old = str(module.run.__annotations__)
        text = file.read_text().replace("Any, Callable", "Any")
        file.write_text("from collections.abc import Callable\n" + text)
        report = hotswap.sync()
        assert report.status == "applied", report
        stale = [change.qualname for change in report.changes if change.action == "stale"]
        new = str(module.run.__annotations__)
        if kind == "Note":
            assert new == old.replace("typing.Callable", "collections.abc.Callable")
            assert not stale
        else:
            assert new == old
            assert stale == ["run"]
            assert sys.modules["annotation_library"].WRITTEN == ["called"]
    finally:
        session.stop()
        for name in ("annotation_project", "annotation_library"):
            sys.modules.pop(name, None)
