"""The short form of the second half of `nox -s fuzz`: what fails leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest


@pytest.mark.slow
def test_the_process_is_as_before_after_random_edits_that_fail(tool: Callable[..., str]) -> None:
    figures = json.loads(tool("failures.py", "--rounds", "60", "--seed", "5"))
    assert figures["problems"] == 0
    assert figures["statuses"]["rejected"] > 30
