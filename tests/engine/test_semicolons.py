"""A statement that stands behind `;` is one like any other, whatever its neighbours look like."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

NEIGHBOURS = {
    "number": "a = 0; {}",
    "several lines": "a = (0,\n  1); {}",
    "string": "a = '''\n'''; {}",
    "blank string": "a = '''\n\n\n''';{}",
    "backslash before": "a = 0 \\\n; {}",
    "backslash behind": "a = 0; \\\n{}",
    "backslashes": "a = \\\n0 \\\n  ; \\\n      {}",
    "annotated": "a: int = [\n\n]; {}",
    "import": "import math; {}",
    "three": "a = 0; b = [\n]; {}",
    "one behind": "a = '''\n'''; {}; z = (\n0)",
}

BLOCKS = {
    "module": "{}\n",
    "class": "class K:\n    {}\n\n    def m(self):\n        return 1\n",
    "class on one line": "class K: {}\n",
    "class in a class": "class Outer:\n    first = 1\n    class K:\n        last = 1\n        {}\n",
    "condition": "if True:\n    y = 1\n    {}\n",
    "condition on one line": "if True: {}\n",
    "try": "try: {}\nexcept ValueError: pass\n",
    "class in a condition": "if True:\n    class K:\n        {}\n    y = 1\n",
}

CHANGES = {
    "value": ("x = 1", "x = 2", lambda x: x),
    "lambda": ("x = lambda n=0: n + 1", "x = lambda n=0: n + 2", lambda x: x()),
    "display": ("x = {'k': 1}", "x = {'k': 2}", lambda x: x["k"]),
    "lambda in a display": ("x = [lambda n=0: 1]", "x = [lambda n=0: 2]", lambda x: x[0]()),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("semicolons")
    sys.path.insert(0, str(folder))
    session = hotswap.watch(folder)
    session.pause()
    yield folder
    session.stop()
    sys.path.remove(str(folder))


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
@pytest.mark.parametrize("block", BLOCKS)
def test_what_stands_behind_a_semicolon_is_updated(folder: Path, block: str, neighbour: str) -> None:
    for change, (old, new, value) in CHANGES.items():
        name = f"joined_{next(_numbers)}"
        file = folder / f"{name}.py"
        text = BLOCKS[block].format(NEIGHBOURS[neighbour])
        file.write_text(text.format(old))
        module: Any = __import__(name)
        hotswap.sync()
        file.write_text(text.format(new))
        report = hotswap.sync()
        holder = getattr(module, "Outer", module)
        holder = getattr(holder, "K", holder)
        try:
            assert report.status == "applied", (change, str(report))
            assert value(holder.x) == 2, change
        finally:
            sys.modules.pop(name)
            file.unlink()
            hotswap.sync()
