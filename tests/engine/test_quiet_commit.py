"""No code of the program runs in the middle of a commit or of its undoing: who dies by it sees all of it, or nothing."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

TEXT = """\
import weakref

SEEN = []
HOOKED = []

def note(label):
    SEEN.append(
        (label, VERSION, f(), g(), thing.method(), Thing.version, TABLE['version'], ROWS[0], min(KINDS, key=str))
    )


class Dying:
    def __init__(self, label):
        self.label = label
        self.ring = self
        weakref.finalize(self, note, label)

    def __del__(self):
        note(self.label)


class Plain:
    def __init__(self, label):
        self.label = label

    def __del__(self):
        note(self.label)


class Meta(type):
    def __setattr__(cls, name, value):
        HOOKED.append(name)
        super().__setattr__(name, value)

    def __delattr__(cls, name):
        HOOKED.append(name)
        super().__delattr__(name)


class Key:
    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return hash(self.number)

    def __eq__(self, other):
        return self.number == other.number


class Thing(metaclass=Meta):
    version = {0}
    part = Plain('part {0}')
    gone_{0} = Plain('gone {0}')

    def method(self, default=Plain('default {0}')):
        return {0}


def f(a=Plain('argument {0}')):
    return {0}


def g():
    return {0}


VERSION = {0}
held = Plain('held {0}')
circle = Dying('circle {0}')
TABLE = {{'version': {0}}}
ROWS = [{0}]
KINDS = {{{0}, 'always'}}
thing = Thing()

"""


FAILURES = {
    "before the commit": "raise ValueError\n",
    "after the commit": "def fail(x):\n    return 1 / 0\n\n\nsorted([g, g], key=fail)\n",
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "quiet.py").write_text(TEXT.format(1))
    with hotswap.watch(tmp_path) as session:
        session.pause()
        module = __import__("quiet")
        hotswap.sync()
        yield module
    sys.modules.pop("quiet", None)


def save(module: Any, text: str) -> hotswap.Report:
    Path(module.__file__).write_text(text)
    report = hotswap.sync()
    gc.collect()
    return report


def test_who_dies_by_a_commit_sees_all_of_it(program: Any) -> None:
    report = save(program, TEXT.format(2))
    assert report.status == "applied", report
    died = {label for label, *_ in program.SEEN}
    assert {"part 1", "gone 1", "argument 1", "default 1"} <= died, died
    assert {tuple(seen) for _, *seen in program.SEEN} == {(2,) * 8}
    assert program.HOOKED == []


@pytest.mark.parametrize("when", FAILURES)
def test_who_dies_by_a_refusal_sees_nothing_of_it(program: Any, when: str) -> None:
    report = save(program, TEXT.format(2) + FAILURES[when])
    assert report.status == "rejected"
    # Between the commit and the failure of a late statement all is new; nobody sees a mixture.
    assert {tuple(seen) for _, *seen in program.SEEN} <= {(1,) * 8, (2,) * 8}, program.SEEN
    assert {label for label, version, *_ in program.SEEN if version == 1} <= {
        f"{each} 2" for each in ("part", "gone", "argument", "default", "held", "circle")
    }
    assert program.HOOKED == [] and program.held.label == "held 1"
    kept = (program.Thing.part, *program.f.__defaults__)
    assert [each.label for each in kept] == ["part 1", "argument 1"]
