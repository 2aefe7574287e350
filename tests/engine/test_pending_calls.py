"""What an update binds anew calls what the same update edits: it sees the edited version."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

OLD = """\
def helper(a):
    return [a]


def plain():
    return helper(1)


class Base:
    def __init__(self):
        self.made = helper(1)


MADE = plain()
"""
# The contract of `helper` and its callers: other arguments, or the same with another result.
HELPERS = ["def helper(a, b=None):\n    return (a, b)", "def helper(a):\n    return (a, a)"]
BOUND = {
    "function": "def fresh():\n    return helper(1)\n\n\nMADE = fresh()\n",
    "two functions": "def inner():\n    return helper(1)\n\n\ndef fresh():\n    return inner()\n\n\nMADE = fresh()\n",
    "class": "class Fresh:\n    def __init__(self):\n        self.made = helper(1)\n\n\nMADE = Fresh().made\n",
    "edited class": "def fresh():\n    return Base().made\n\n\nMADE = fresh()\n",
    "subclass": "class Fresh(Base):\n    pass\n\n\nMADE = Fresh().made\n",
    "method": "class Fresh:\n    def run(self):\n        return helper(1)\n\n\nMADE = Fresh().run()\n",
    "decorator": (
        "def fresh(kind):\n    def wrap(cls):\n        cls.made = kind, helper(cls.__name__)\n        return cls\n"
        "    return wrap\n\n\n@fresh(1)\nclass Marked:\n    pass\n\n\nMADE = Marked.made\n"
    ),
    "bare decorator": (
        "class Builder:\n    def __init__(self, cls):\n        cls.made = helper(cls.__name__)\n\n\n"
        "def fresh(cls):\n    Builder(cls)\n    return cls\n\n\n@fresh\nclass Marked:\n    pass\n\n\nMADE = Marked.made\n"
    ),
}


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("kind", BOUND)
def test_new_callers_see_edited_helpers(
    kind: str, helper: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "pending_caller"
    (tmp_path / f"{name}.py").write_text(OLD)
    session = hotswap.watch(tmp_path)
    try:
        session.pause()
        module = __import__(name)
        head = OLD.replace("def helper(a):\n    return [a]", helper).replace("MADE = plain()\n", "")
        if kind in ("edited class", "subclass"):
            head = head.replace("self.made = helper(1)", "self.made = helper(2)")
        (tmp_path / f"{name}.py").write_text(head + BOUND[kind])
        report = hotswap.sync()
        assert report.status == "applied", report
        shown = "module.MADE, module.plain()"
        command = [sys.executable, "-B", "-c", f"import {name} as module; print(({shown}))"]
        cold = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        assert str((module.MADE, module.plain())) == cold.stdout.strip()
    finally:
        session.stop()
        sys.modules.pop(name, None)
