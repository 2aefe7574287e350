"""Classes that the program makes dataclasses of when it uses them."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)

# The instance is one of another class with slots, which is made for it.
IN_NEW = """\
from dataclasses import dataclass
class Settings:
    def __new__(cls, **values):
        cls = dataclass(eq=False, SLOTSkw_only=True)(cls)
        made = object.__new__(cls)
        made.__init__(**values)
        return made
class Server(Settings):
    host: str
SERVER = Server(host="a")
""".replace("SLOTS", "slots=True, " if sys.version_info >= (3, 10) else "")
IN_NEW = IN_NEW if sys.version_info >= (3, 10) else IN_NEW.replace("eq=False, kw_only=True", "eq=False")
IN_FUNCTION = """\
from dataclasses import dataclass, field
def make(cls, **values):
    if "__dataclass_fields__" not in vars(cls):
        dataclass(cls, order=True)
        cls.__repr__ = lambda self: "mine"
    return cls(**values)
class Server:
    host: str
SERVER = make(Server, host="a")
"""


@pytest.mark.parametrize(
    "text, edits, expressions",
    [
        (
            IN_NEW,
            [("host: str\n", "host: str\n    port: int\n"), ('host="a"', 'host="b", port=1')],
            ["repr(m.SERVER)", "repr(m.Server(host='c', port=2))", "list(m.Server.__dataclass_fields__)"],
        ),
        (
            IN_NEW,
            [("host: str\n", "name: str\n"), ('host="a"', 'name="b"')],
            ["repr(m.SERVER)", "repr(m.Server(name='c'))", "sorted(vars(m.Server))"],
        ),
        (
            IN_FUNCTION,
            [("host: str\n", "host: str\n    ports: list = field(default_factory=list)\n")],
            [
                "repr(m.SERVER)",
                "m.SERVER.ports",
                "m.Server('b', [1]).ports",
                "m.Server('b') < m.Server('c')",
                "getattr(m.Server, '__match_args__', None)",
                "hasattr(m.Server, 'ports')",
            ],
        ),
    ],
)
def test_what_was_generated_follows_the_fields(
    text: str,
    edits: list[tuple[str, str]],
    expressions: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"later_{next(_numbers)}"
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    module = importlib.import_module(name)
    kind = module.Server
    with hotswap.watch(tmp_path) as session:
        session.pause()
        for old, new in edits:
            text = text.replace(old, new)
        path.write_text(text)
        session.resume()
        report = hotswap.sync()
    assert report.status == "applied", str(report)
    assert module.Server is kind
    for expression in expressions:
        code = f"import {name} as m; print(repr({expression}))"
        command = [sys.executable, "-B", "-c", code]
        cold = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()
        assert repr(eval(expression, {"m": module})) == cold, expression


def test_fields_that_no_dataclass_can_have_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"later_{next(_numbers)}"
    path = tmp_path / f"{name}.py"
    path.write_text(IN_FUNCTION)
    module = importlib.import_module(name)
    with hotswap.watch(tmp_path) as session:
        session.pause()
        path.write_text(IN_FUNCTION.replace("host: str\n", "host: str = ''\n    port: int\n"))
        session.resume()
        report = hotswap.sync()
    assert report.status == "applied", str(report)
    reasons = [change.reason for change in report.changes if change.qualname == "Server"]
    assert any("what was generated for it stays" in reason for reason in reasons)
    assert module.Server(host="b").host == "b"
