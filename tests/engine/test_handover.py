"""`__hotswap_dispose__` and `__hotswap_accept__`: what a module hands over from its old code to its new one."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)


class Programs:
    """Modules in a folder, with names that are new in each test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = next(_numbers)
        self.texts: dict[str, str] = {}
        self.session: hotswap.Session

    def name(self, name: str) -> str:
        return f"{name}_handover_{self.number}"

    def load(self, text: str, name: str = "mod") -> types.ModuleType:
        self.save(textwrap.dedent(text), name)
        importlib.invalidate_caches()
        module = importlib.import_module(self.name(name))
        hotswap.sync()
        return module

    def save(self, text: str, name: str = "mod") -> None:
        self.texts[name] = text
        (self.folder / f"{self.name(name)}.py").write_text(text)

    def sub(self, *replacements: tuple[str, str], name: str = "mod") -> None:
        text = self.texts[name]
        for old, new in replacements:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.save(text, name)

    def apply(self, *replacements: tuple[str, str], status: str = "applied") -> hotswap.Report:
        self.sub(*replacements)
        report = hotswap.sync()
        assert report.status == status, report
        return report


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    made = Programs(tmp_path)
    made.session = session
    yield made
    session.stop()
    for name in made.texts:
        sys.modules.pop(made.name(name), None)


SERVER = """\
import builtins
LOG = []
PORTS = {1}
PORT = 1
def serve(): return "one"
def __hotswap_dispose__(data):
    LOG.append("dispose " + serve())
    PORTS.discard(PORT)
    data["port"] = PORT
def __hotswap_accept__(data):
    LOG.append("accept " + serve())
    PORTS.add(data["port"])
"""


def test_old_hook_comes_before_new_statements_and_new_hook_after(programs: Programs) -> None:
    mod = programs.load(SERVER)
    programs.apply(('"one"', '"two"'), ("PORT = 1\n", 'PORT = 1\nLOG.append(f"ran {sorted(PORTS)}")\n'))
    assert mod.LOG == ["dispose one", "ran []", "accept two"]
    assert sorted(mod.PORTS) == [1]


def test_hooks_themselves_may_change(programs: Programs) -> None:
    mod = programs.load(SERVER)
    programs.apply(('"accept "', '"took "'), ('"dispose "', '"left "'), ('"one"', '"two"'))
    programs.apply(('"two"', '"three"'))
    assert mod.LOG == ["dispose one", "took two", "left two", "took three"]


def test_no_hook_without_a_change_of_behaviour(programs: Programs) -> None:
    mod = programs.load(SERVER)
    programs.sub(("LOG = []", "# nothing\nLOG = []"))
    hotswap.sync()
    assert mod.LOG == []


def test_source_that_does_not_parse_calls_nothing(programs: Programs) -> None:
    mod = programs.load(SERVER)
    programs.apply(("PORT = 1\n", "PORT = (\n"), status="rejected")
    assert mod.LOG == []


def test_old_module_takes_back_its_own_when_a_statement_fails(programs: Programs) -> None:
    mod = programs.load(SERVER)
    programs.apply(('"one"', '"two"'), ("PORT = 1\n", "PORT = 2\n1 / 0\n"), status="rejected")
    assert mod.LOG == ["dispose one", "accept one"]
    assert sorted(mod.PORTS) == [1] and mod.PORT == 1 and mod.serve() == "one"


def test_new_hook_that_fails_undoes_the_update(programs: Programs) -> None:
    mod = programs.load(SERVER)
    report = programs.apply(
        ('"one"', '"two"'),
        ('    LOG.append("accept "', '    1 / 0\n    LOG.append("accept "'),
        status="rejected",
    )
    assert report.error is not None and report.error.type == "ZeroDivisionError"
    assert mod.serve() == "one"
    assert mod.LOG == ["dispose one", "accept one"] and sorted(mod.PORTS) == [1]


def test_old_hook_that_fails_refuses_the_update(programs: Programs) -> None:
    mod = programs.load(SERVER.replace("    data[", "    1 / 0\n    data["))
    report = programs.apply(('"one"', '"two"'), status="rejected")
    assert report.error is not None and report.error.type == "ZeroDivisionError"
    assert mod.serve() == "one"
    # It had let go already; what it could not take back is said.
    assert any(
        "__hotswap_accept__ failed when the update had come to nothing" in note for note in report.notes
    )


def test_hook_that_comes_with_the_edit_finds_nothing(programs: Programs) -> None:
    mod = programs.load("GIVEN = []\nA = 1\n")
    programs.apply(("A = 1\n", "A = 2\ndef __hotswap_accept__(data): GIVEN.append(dict(data))\n"))
    assert mod.GIVEN == [{}]
    programs.apply(("def __hotswap_accept__(data): GIVEN.append(dict(data))\n", ""))
    assert mod.GIVEN == [{}]


def test_users_let_go_before_what_they_use_and_take_over_after_it(programs: Programs) -> None:
    hooks = """
def __hotswap_dispose__(data): base.LOG.append("dispose " + __name__[0])
def __hotswap_accept__(data): base.LOG.append("accept " + __name__[0])
"""
    base = programs.load("import sys\nLOG = []\nA = 1\nbase = sys.modules[__name__]\n" + hooks, "base")
    programs.load(f"import {base.__name__} as base\nB = 1\nother = base.A\n" + hooks, "user")
    programs.sub(("A = 1", "A = 2"), name="base")
    programs.sub(("B = 1", "B = 2"), name="user")
    assert hotswap.sync().status == "applied"
    assert base.LOG == ["dispose u", "dispose b", "accept b", "accept u"]


def test_module_that_only_follows_is_not_asked(programs: Programs) -> None:
    base = programs.load("A = 1\n", "base")
    user = programs.load(
        f"from {base.__name__} import A\nLOG = []\nB = A + 1\ndef __hotswap_accept__(data): LOG.append(B)\n",
        "user",
    )
    programs.sub(("A = 1", "A = 2"), name="base")
    assert hotswap.sync().status == "applied"
    assert user.B == 3 and user.LOG == []


def test_value_can_be_carried_over_a_changed_statement(programs: Programs) -> None:
    mod = programs.load(
        """\
        class Cache:
            def __init__(self, size): self.size, self.held = size, {}
        CACHE = Cache(1)
        def __hotswap_dispose__(data): data["held"] = CACHE.held
        def __hotswap_accept__(data): CACHE.held.update(data["held"])
        """
    )
    mod.CACHE.held["a"] = 1
    programs.apply(("Cache(1)", "Cache(2)"))
    assert mod.CACHE.size == 2 and mod.CACHE.held == {"a": 1}


def test_rollback_hands_over_as_well(programs: Programs) -> None:
    mod = programs.load(SERVER)
    generation = programs.apply(('"one"', '"two"')).generation
    mod.LOG.clear()
    programs.session.rollback(generation - 1)
    assert mod.LOG == ["dispose two", "accept one"]
