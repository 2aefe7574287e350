"""Classes that are said to come from the package that they are to be imported from."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

# What packages do at their end, so that their parts do not show.
SAID = """\
for value in list(globals().values()):
    if getattr(value, "__module__", "").startswith(__name__ + "."):
        value.__module__ = __name__
"""


class Package:
    """A package whose names come from its part `parts`."""

    def __init__(self, folder: Path) -> None:
        self.name = f"said{next(_numbers)}"
        self.folder = folder / self.name
        self.folder.mkdir()

    def write(self, text: str) -> None:
        (self.folder / "parts.py").write_text(textwrap.dedent(text))

    def load(self, text: str, *names: str) -> Any:
        self.write(text)
        lines = [f"from .parts import {name} as {name}" for name in names]
        (self.folder / "__init__.py").write_text("\n".join([*lines, SAID]))
        importlib.invalidate_caches()
        module = importlib.import_module(self.name)
        hotswap.sync()
        return module

    def edit(self, text: str) -> hotswap.Report:
        self.write(text)
        return hotswap.sync()

    @property
    def parts(self) -> Any:
        return sys.modules[f"{self.name}.parts"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    yield Package(tmp_path)
    session.stop()


def refused(report: hotswap.Report) -> list[str]:
    return [change.qualname for change in report.changes if change.action in ("stale", "not applied")]


@pytest.mark.parametrize("kind", ["classmethod", "staticmethod"])
def test_class_whose_methods_are_all_wrapped(package: Package, kind: str) -> None:
    text = f"class Backend:\n    @{kind}\n    def run(x: int, y=1): return y\n"
    top = package.load(text, "Backend")
    backend = top.Backend
    report = package.edit(text.replace("int, y=1", "str, y=2"))
    assert report.status == "applied" and refused(report) == []
    assert backend.run.__annotations__ == {"x": str}
    assert backend.run.__defaults__ == (2,)
    assert top.Backend is package.parts.Backend is backend
    assert backend.__module__ == package.name


def test_class_without_functions(package: Package) -> None:
    text = "class Settings:\n    depth = 1\n"
    top = package.load(text, "Settings")
    settings = top.Settings
    report = package.edit(text.replace("1", "2"))
    assert report.status == "applied" and refused(report) == []
    assert settings.depth == 2 and top.Settings is settings


def test_class_of_another_module_under_the_same_name_is_left_alone(package: Package, tmp_path: Path) -> None:
    """Two modules define a class of this name, and the one that is held here is the other's."""
    text = "class Settings:\n    depth = 1\n"
    top = package.load(text, "Settings")
    (package.folder / "other.py").write_text("class Settings:\n    depth = 5\n")
    importlib.invalidate_caches()
    other = importlib.import_module(f"{package.name}.other").Settings
    hotswap.sync()
    package.parts.Settings = top.Settings = other
    report = package.edit(text.replace("1", "2"))
    assert refused(report) == ["Settings"]
    assert other.depth == 5


def test_subclasses_follow_a_base_with_another_layout(package: Package) -> None:
    text = """\
        class Resource:
            def close(self): return "closed"

        class Stream(Resource):
            "Only its name."

        class File(Stream):
            def __init__(self): self.lines = 0
        """
    top = package.load(text, "Resource", "Stream", "File")
    top.FILE = top.File()
    top.FILE.lines = 3
    report = package.edit(text.replace("def close(self)", "__slots__ = ()\n            def close(self)"))
    assert report.status == "applied" and refused(report) == []
    assert "__dict__" not in vars(top.Resource) and top.Resource is package.parts.Resource
    assert top.File.__mro__[1:3] == (top.Stream, top.Resource)
    assert isinstance(top.FILE, top.File) and top.FILE.lines == 3 and top.FILE.close() == "closed"
    assert {value.__module__ for value in (top.Resource, top.Stream, top.File)} == {package.name}


def test_class_that_its_body_or_a_decorator_said_to_be_elsewhere(package: Package) -> None:
    """What said it is gone: so is what it said, and the package says what it says of all others."""
    text = """\
        def said(kind):
            kind.__module__ = "decorated"
            return kind

        @said
        class First:
            size = 1
            def method(self): pass

        class Second:
            __module__ = "written"
            size = 1
            def method(self): pass
        """
    top = package.load(text, "First", "Second")
    first = package.parts.First
    assert (first.__module__, top.Second.__module__) == ("decorated", "written")
    report = package.edit(
        text.replace("        @said\n", "")
        .replace('            __module__ = "written"\n', "")
        .replace("= 1", "= 2")
    )
    assert report.status == "applied"
    assert package.parts.First.__module__ == package.name
    assert package.parts.Second.__module__ == package.name


def test_class_that_is_gone_need_not_take_the_new_base(package: Package) -> None:
    """`Base` comes from elsewhere now, with another layout; what was made of the old one keeps it."""
    text = """\
        class Base:
            pass

        class Gone(Base):
            def name(self): return "gone"
        """
    package.load(text, "Base", "Gone")
    thing = package.parts.Gone()
    (package.folder / "elements.py").write_text("class Base(dict):\n    kind = 'element'\n")
    (package.folder / "__init__.py").write_text("from .parts import Base as Base\n")
    report = package.edit("from .elements import Base\n")
    assert report.status == "applied", report
    assert not hasattr(package.parts, "Gone")
    assert package.parts.Base.kind == "element" and thing.name() == "gone"


def test_instance_that_cannot_become_one_of_the_imported_class(package: Package) -> None:
    """A known limit: its class is another one now, with another layout."""
    package.load("class Base:\n    pass\n", "Base")
    package.parts.THING = package.parts.Base()
    (package.folder / "elements.py").write_text("class Base(dict):\n    pass\n")
    report = package.edit("from .elements import Base\n")
    assert report.status == "rejected" and report.error
    old, new = f"{package.name}.Base", f"{package.name}.elements.Base"
    assert report.error.message == (
        f"an instance of {old} cannot become one of {new}, which CPython lays out otherwise"
    )
    assert type(package.parts.THING) is package.parts.Base
    assert not issubclass(package.parts.Base, dict)
