"""Classes that a class below has for bases together, and that are made anew after the commit."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh start within the same second would take that of before for a source of the same length."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


ROOT = """\
from abc import ABCMeta, abstractmethod
class Resource(metaclass=ABCMeta):
    __slots__ = ()
    async def close(self){0}:
        return self
"""

STREAMS = """\
from abc import abstractmethod
from typing import Generic, TypeVar
from {0} import Resource
T = TypeVar("T")
class Provider:
    def own(self):
        return 1
class Receive({1}):
    @abstractmethod
    async def receive(self):
        pass
class Send({1}):
    @abstractmethod
    async def send(self):
        pass
class Both(Receive[T], Send[T]):
    pass
class Sent(Send[T]):
    pass
class All(Both[T], Sent[T]):
    async def receive(self):
        return {2}
    async def send(self):
        pass
class Edge(Both[int]):
    pass
def show():
    return [cls.__mro__ for cls in (Receive, Send, Both, Sent, All, Edge)], All().own()
"""


@pytest.mark.parametrize("edited_below", [False, True], ids=["", "below too"])
def test_both_bases_are_made_in_one_commit(
    edited_below: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(_numbers)
    root, name = f"joint_root_{number}", f"joint_streams_{number}"
    (tmp_path / f"{root}.py").write_text(ROOT.format(""))
    file = tmp_path / f"{name}.py"
    file.write_text(STREAMS.format(root, "Generic[T], Resource, Provider", 1))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    kept = [module.All()]
    with hotswap.watch(tmp_path) as session:
        session.pause()
        (tmp_path / f"{root}.py").write_text(ROOT.format(" -> int"))
        file.write_text(STREAMS.format(root, "Resource, Provider, Generic[T]", 1 + edited_below))
        session.resume()
        report = hotswap.sync()
    assert report.status == "applied", report.error
    cold = subprocess.run(
        [sys.executable, "-B", "-c", f"import {name}; print({name}.show())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(module.show()) == cold.stdout.strip()
    assert type(kept[0]) is module.All and isinstance(kept[0], module.Send)
