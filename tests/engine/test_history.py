"""Back to an earlier generation: its code with the state of now, the disk left alone."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hotswap


class Programs:
    """Modules on disk below one watched folder."""

    def __init__(self, folder: Path, session: hotswap.Session) -> None:
        self.folder = folder
        self.session = session

    def write(self, **sources: str) -> hotswap.Report:
        for name, text in sources.items():
            (self.folder / f"{name}.py").write_text(text)
        return hotswap.sync()

    def load(self, **sources: str) -> list[Any]:
        for name, text in sources.items():
            (self.folder / f"{name}.py").write_text(text)
        modules: list[ModuleType] = [__import__(name) for name in sources]
        hotswap.sync()
        return modules


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield Programs(tmp_path, session)
    session.stop()
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


def test_code_comes_back_and_state_stays(programs: Programs) -> None:
    (mod,) = programs.load(hist_a="LOG = []\ndef f():\n    LOG.append(1)\n    return 'one'\n")
    held = mod.f
    programs.write(hist_a="LOG = []\ndef f():\n    LOG.append(2)\n    return 'two'\n")
    mod.f()
    report = programs.session.rollback(0)
    assert report.status == "applied"
    assert report.generation == programs.session.generation == 2
    assert held() == "one"
    assert mod.LOG == [2, 1]


def test_disk_is_pinned_until_it_changes(programs: Programs) -> None:
    (mod,) = programs.load(hist_b="def f():\n    return 1\n")
    second = "def f():\n    return 2\n"
    programs.write(hist_b=second)
    report = programs.session.rollback(0)
    file = programs.folder / "hist_b.py"
    assert any(note.startswith("pinned: generation 0 runs, disk differs") for note in report.notes)
    assert "pinned: generation 0 runs" in str(report)
    assert file.read_text() == second
    assert programs.session.status()["pinned"] == {str(file): 0}
    file.touch()
    assert hotswap.sync().status == "unchanged"
    assert mod.f() == 1
    # What runs is what is shown.
    assert inspect.getsource(mod.f) == "def f():\n    return 1\n"
    assert programs.write(hist_b="def f():\n    return 3\n").status == "applied"
    assert mod.f() == 3
    assert programs.session.status()["pinned"] == {}


def test_disk_that_returns_to_what_runs_is_no_longer_pinned(programs: Programs) -> None:
    first = "def f():\n    return 1\n"
    programs.load(hist_c=first)
    programs.write(hist_c="def f():\n    return 2\n")
    programs.session.rollback(0)
    programs.write(hist_c=first)
    assert programs.session.status()["pinned"] == {}


def test_other_files_are_not_held_up_by_a_pinned_one(programs: Programs) -> None:
    one, two = programs.load(hist_d="X = 1\n", hist_e="import hist_d\ndef g():\n    return hist_d.X\n")
    programs.write(hist_d="X = 2\n")
    programs.session.rollback(0)
    programs.write(hist_e="import hist_d\ndef g():\n    return -hist_d.X\n")
    assert two.g() == -1
    assert one.X == 1


def test_several_generations_back_and_forth(programs: Programs) -> None:
    (mod,) = programs.load(hist_f="def f():\n    return 0\n")
    for number in range(1, 6):
        programs.write(hist_f=f"def f():\n    return {number}\n")
    assert programs.session.generation == 5
    for target, expected in [(2, 2), (4, 4), (0, 0), (5, 5), (6, 2)]:
        programs.session.rollback(target)
        assert mod.f() == expected
    assert programs.session.generation == 10


def test_rollback_to_what_runs_does_nothing(programs: Programs) -> None:
    programs.load(hist_g="X = 1\n")
    programs.write(hist_g="X = 2\n")
    report = programs.session.rollback(1)
    assert (report.status, report.generation) == ("unchanged", 1)


def test_removed_state_comes_back_with_its_statement(programs: Programs) -> None:
    source = "import itertools\nCACHE = {}\ncount = itertools.count()\n\n\ndef f():\n    return CACHE\n\n\nclass C:\n    pass\n\n\nc = C()\n"
    (mod,) = programs.load(hist_h=source)
    mod.CACHE["a"] = 1
    next(mod.count)
    cache, function, kind, instance = mod.CACHE, mod.f, mod.C, mod.c
    programs.write(hist_h="X = 1\n")
    assert not hasattr(mod, "CACHE")
    report = programs.session.rollback(0)
    assert mod.CACHE is cache and cache == {"a": 1}
    assert next(mod.count) == 1
    assert mod.f is function and mod.f() is cache
    assert mod.C is kind and mod.c is instance and type(instance) is mod.C
    assert any(change.reason == "it came back with what it had made" for change in report.changes)


def test_lines_of_what_came_back_are_right(programs: Programs) -> None:
    body = "def f():\n    return 1\n"
    (mod,) = programs.load(hist_i="X = 1\n" + body)
    programs.write(hist_i="# a\n# b\n\nX = 2\n" + body)
    programs.write(hist_i="# a\n# b\n\nX = 2\n")
    programs.session.rollback(0)
    assert mod.f.__code__.co_firstlineno == 2
    assert inspect.getsource(mod.f) == body


def test_statement_with_an_effect_is_not_repeated_for_what_it_had_made(programs: Programs) -> None:
    (log,) = programs.load(
        hist_log="calls = []\ndef connect(port):\n    calls.append(port)\n    return object()\n"
    )
    (mod,) = programs.load(hist_j="from hist_log import connect\nlink = connect(1)\n")
    first = mod.link
    programs.write(hist_j="from hist_log import connect\nlink = connect(2)\n")
    assert log.calls == [1, 2] and mod.link is not first
    programs.session.rollback(0)
    assert mod.link is first
    assert log.calls == [1, 2]


def test_rollback_across_a_deleted_module(programs: Programs) -> None:
    gone, user = programs.load(
        hist_k="STATE = [1]\ndef f():\n    return STATE\n",
        hist_l="import hist_k\ndef g():\n    return hist_k.f()\n",
    )
    gone.STATE.append(2)
    (programs.folder / "hist_k.py").unlink()
    programs.write(hist_l="def g():\n    return 'none'\n")
    assert "hist_k" not in sys.modules
    before = programs.session.generation
    report = programs.session.rollback(0)
    assert report.status == "applied" and report.generation == before + 1
    assert sys.modules["hist_k"] is gone
    assert user.g() == [1, 2]
    assert not (programs.folder / "hist_k.py").exists()
    assert hotswap.sync().status == "unchanged"
    # The file comes back with other content: it is an edit of the module that is back.
    programs.write(hist_k="STATE = [1]\ndef f():\n    return len(STATE)\n")
    assert user.g() == 2


def test_rollback_across_an_added_module(programs: Programs) -> None:
    (user,) = programs.load(hist_m="def g():\n    return 'old'\n")
    programs.write(
        hist_n="def f():\n    return 'new'\n", hist_m="from hist_n import f\ndef g():\n    return f()\n"
    )
    assert user.g() == "new"
    programs.session.rollback(0)
    assert user.g() == "old"
    assert not hasattr(user, "f")


def test_rollback_that_fails_changes_nothing(programs: Programs) -> None:
    head = "FLAG = []\ndef check(value):\n    if FLAG:\n        raise ValueError('no')\n    return value\n\n"
    (mod,) = programs.load(hist_o=head + "Y = check(1)\ndef f():\n    return 1\n")
    programs.write(hist_o=head + "Y = check(2)\ndef f():\n    return 2\n")
    mod.FLAG.append(1)
    report = programs.session.rollback(0)
    assert report.status == "rejected" and report.error is not None and report.error.type == "ValueError"
    assert (mod.Y, mod.f()) == (2, 2)
    assert programs.session.generation == 1
    assert programs.session.status()["pinned"] == {}
    mod.FLAG.clear()
    assert programs.session.rollback(0).status == "applied"
    assert (mod.Y, mod.f()) == (1, 1)


def test_diff_between_generations(programs: Programs) -> None:
    programs.load(hist_p="X = 1\n", hist_q="Y = 1\n")
    programs.write(hist_p="X = 2\n")
    programs.write(hist_p="X = 3\n", hist_q="Y = 2\n")
    session = programs.session
    name = str(programs.folder / "hist_p.py")
    assert session.diff(0, 1) == f"--- {name}\n+++ {name}\n@@ -1 +1 @@\n-X = 1\n+X = 2\n"
    assert "-X = 1\n+X = 3" in session.diff(0, 2) and "-Y = 1\n+Y = 2" in session.diff(0, 2)
    assert "-X = 3\n+X = 1" in session.diff(2, 0)
    assert session.diff() == session.diff(1, 2)
    (programs.folder / "hist_q.py").unlink()
    hotswap.sync()
    assert session.diff(2, 3).endswith("+++ /dev/null\n@@ -1 +0,0 @@\n-Y = 2\n")


def test_generations_that_are_not_kept(programs: Programs) -> None:
    programs.load(hist_r="X = 1\n")
    programs.write(hist_r="X = 2\n")
    for call in (programs.session.rollback, lambda number: programs.session.diff(0, number)):
        with pytest.raises(hotswap.RollbackError, match="there is no generation 9 yet; the newest is 1"):
            call(9)
    with pytest.raises(hotswap.RollbackError):
        programs.session.rollback(-1)


@pytest.mark.parametrize("setting", ["history=2", "history_bytes=3000"])
def test_history_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setenv(f"HOTSWAP_{name.upper()}", value)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / f"bounded_{name}.py"
    padding = "# " + "x" * 1400 + "\n"
    file.write_text(padding + "X = 0\n")
    with hotswap.watch(tmp_path) as session:
        session.pause()
        mod = __import__(file.stem)
        hotswap.sync()
        for number in range(1, 7):
            file.write_text(padding + f"X = {number}\n")
            hotswap.sync()
        status = session.status()
        assert status["oldest_generation"] == 4
        assert status["history_bytes"] < 3000
        with pytest.raises(
            hotswap.RollbackError, match="generation 3 is no longer kept; the oldest that can come back is 4"
        ):
            session.rollback(3)
        with pytest.raises(hotswap.RollbackError, match="no longer kept"):
            session.diff(1, 6)
        session.rollback(4)
        assert mod.X == 4
    del sys.modules[file.stem]
