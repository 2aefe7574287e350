"""The short form of `nox -s exits`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from reliability import exits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@pytest.mark.parametrize("mode", exits.MODES)
def test_the_end_is_clean(mode: str, tool: Callable[..., str]) -> None:
    figures = json.loads(tool("exits.py", "--rounds", "2", "--json", "--modes", mode))
    assert figures[mode]["clean"] == 2, figures
