"""Star imports in a circle: a name that is bound after the commit goes through all of them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

SOURCES = {
    "__init__.py": "from . import making\nfrom .parts import *\nVERSION = 1\n",
    "making.py": "class Maker:\n    def __init__(self):\n        self.made = 1\n",
    "parts/__init__.py": "from .first import *\nfrom .second import *\n",
    # It imports the package that is on its way to import it.
    "parts/first.py": "from circle import making\n__all__ = ['First']\nclass First: pass\n",
    "parts/base.py": "class Base:\n    def value(self):\n        return 1\n",
    "parts/second.py": "from circle import making\nfrom .base import Base\n__all__ = ['Second']\n"
    "class Second(Base):\n    maker = making.Maker()\n",
}
# The base has its new code at the commit, and the class that is made on top of it comes after that.
EDITED = {
    "__init__.py": SOURCES["__init__.py"].replace("VERSION = 1", "VERSION = 2"),
    "making.py": SOURCES["making.py"].replace("= 1", "= 2"),
    "parts/base.py": SOURCES["parts/base.py"].replace("1", "2"),
    "parts/second.py": SOURCES["parts/second.py"].replace("'Second'", "'Second', 'Third'")
    + "class Third(Second):\n    maker = making.Maker()\n",
}


def test_a_class_made_after_the_commit_goes_through_a_circle_of_star_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in SOURCES.items():
        path = tmp_path / "circle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    circle = importlib.import_module("circle")
    with hotswap.watch(tmp_path) as session:
        session.pause()
        for name, text in EDITED.items():
            (tmp_path / "circle" / name).write_text(text)
        session.resume()
        report = hotswap.sync()
    assert report.status == "applied", str(report)
    expression = "circle.VERSION, circle.Third.__name__, circle.Third.maker.made, circle.Third().value()"
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import circle; print(({expression}))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert repr(eval(expression, {"circle": circle})) == cold
    assert circle.parts.Third is circle.Third
