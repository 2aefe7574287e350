"""The short form of `nox -s stress`, and what the long form has found."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest


@pytest.mark.parametrize("mode", ["threads", "tasks", "pairs"])
def test_no_worker_sees_half_of_an_update(mode: str, tool: Callable[..., str]) -> None:
    out = tool("stress.py", "--updates", "20", "--workers", "4", "--modes", mode)
    figures = json.loads(out)
    assert figures["problems"] == 0
    assert figures["applied"] + figures["refused"] == 20
    assert figures["versions_seen_by_a_worker"] > 3


def test_a_changed_function_never_has_the_version_number_of_another(drive: Callable[..., str]) -> None:
    # CPython 3.12 has two counters for one kind of number (gh-116916); a call site then takes the
    # lambda for the function with a default, reads what is not there, and the process is gone.
    drive(
        """
        import ctypes, mod
        save("mod.py", "def f(word='x'):\\n    return 1\\n")
        hotswap.watch(".").pause()
        hotswap.sync()
        def version(function):
            return ctypes.c_uint32.from_address(id(function) + type(function).__basicsize__ - 8).value
        codes = mod.f.__code__, (lambda word="y": 2).__code__
        other = lambda: 0
        def site(call):
            return call()
        wanted = version(other) if sys.version_info[:2] == (3, 12) else None
        for number in range(150_000):
            mod.f.__code__ = codes[number % 2]
            site(mod.f), site(mod.f), site(mod.f)
            if version(mod.f) == wanted:
                [site(mod.f) for _ in range(64)]
                site(other)
        """
    )
