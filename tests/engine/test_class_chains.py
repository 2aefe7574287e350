"""Values that several statements of a class body make together."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

Load = Callable[[str], Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()

    def load(text: str) -> Any:
        name = f"class_chain{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        module = importlib.import_module(name)
        hotswap.sync()
        return module

    yield load
    session.stop()


def edit(module: Any, text: str) -> hotswap.Report:
    Path(module.__file__).write_text(textwrap.dedent(text))
    return hotswap.sync()


def cold(module: Any, text: str, name: str = "C") -> dict[str, Any]:
    """What a fresh start has for the plain attributes of a class."""
    fresh: dict[str, Any] = {"__name__": module.__name__}
    exec(textwrap.dedent(text), fresh)
    return plain(fresh[name])


def plain(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("__") and isinstance(value, (str, int, dict, list, tuple, set))
    }


def stale(report: hotswap.Report) -> list[str]:
    return [change.qualname for change in report.changes if change.action == "stale"]


COPIED = """\
    class C:
        frames = {"now": "now", "hour": "{} hours"}

        only = frames.copy()
        only["hour"] = "an hour"
        only["day"] = "a day"
    """

PASSED_ON = """\
    BASE = {"a": 1}

    class C:
        options = BASE.copy()
        options["b"] = 2
        options.update(c=3)
    """

GROWN = """\
    LOW = 1

    class C:
        spec = (LOW, 2)
        spec = spec + (3,)
        total = sum(spec)
    """

LOOPED = """\
    NAMES = ["a", "b"]

    class C:
        table = {}
        for name in NAMES:
            table["/" + name] = name
        more = []
        more += list(table)
        more.append("end")
    """


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        pytest.param(COPIED, '"now": "now"', '"now": "just now"', id="the value that is copied"),
        pytest.param(COPIED, '        only["day"] = "a day"\n', "", id="a statement that went"),
        pytest.param(COPIED, '"an hour"', '"one hour"', id="a statement below the first"),
        pytest.param(COPIED, 'only["hour"]', 'only["hours"]', id="another key"),
        pytest.param(COPIED, "only = frames.copy()", 'only = {"x": 1}', id="the first statement"),
        pytest.param(COPIED, '"a day"\n', '"a day"\n        only["week"] = "a week"\n', id="one more"),
        pytest.param(PASSED_ON, '{"a": 1}', '{"a": 5, "d": 6}', id="a name of the module"),
        pytest.param(PASSED_ON, "c=3", "c=4", id="a call that changes it in place"),
        pytest.param(GROWN, "LOW = 1", "LOW = 7", id="a value that is bound twice"),
        pytest.param(GROWN, "(3,)", "(3, 4)", id="what is added"),
        pytest.param(LOOPED, '"b"]', '"b", "c"]', id="a loop, and a chain that reads a chain"),
        pytest.param(LOOPED, '"/" + name', '"-" + name', id="the body of a loop"),
    ],
)
def test_chain_is_made_anew_as_a_whole(load: Load, text: str, old: str, new: str) -> None:
    module = load(text)
    kind = module.C
    assert old in text
    report = edit(module, text.replace(old, new))
    assert report.status == "applied" and stale(report) == []
    assert module.C is kind
    assert plain(kind) == cold(module, text.replace(old, new))


def test_holders_of_a_container_see_it(load: Load) -> None:
    module = load(PASSED_ON)
    held = module.HELD = module.C.options
    edit(module, PASSED_ON.replace('{"a": 1}', '{"a": 5}'))
    assert held is module.C.options and held == {"a": 5, "b": 2, "c": 3}


def test_what_the_program_put_into_it_stays(load: Load) -> None:
    module = load(PASSED_ON)
    module.C.options["mine"] = 1
    report = edit(module, PASSED_ON.replace('{"a": 1}', '{"a": 5}'))
    assert stale(report) == ["C.options"]
    assert module.C.options == {"a": 1, "b": 2, "c": 3, "mine": 1}


def test_container_that_is_another_name_for_a_shared_one(load: Load) -> None:
    """Evaluating it again would change what others hold."""
    text = """\
        SHARED = {"a": 1}
        STEP = 1

        class C:
            table = SHARED
            table["b"] = table.get("b", 0) + STEP
        """
    module = load(text)
    assert module.SHARED == {"a": 1, "b": 1}
    edit(module, text.replace("STEP = 1", "STEP = 2"))
    assert module.SHARED is module.C.table
    assert module.SHARED == {"a": 1, "b": 1}


def test_failing_update_leaves_it_alone(load: Load) -> None:
    module = load(COPIED)
    before = plain(module.C)
    report = edit(module, COPIED.replace('"an hour"', '"one hour"') + "    1 / 0\n")
    assert report.status == "rejected"
    assert plain(module.C) == before


UNKNOWN = """\
    SPEC = (("--first", 1), ("--second", 2))

    def without(spec, *names):
        return tuple(each for each in spec if each[0].replace("--", "") not in names)

    class C:
        spec = without(SPEC, "first")
        grown = without(SPEC, "second")
        grown = grown + (("--third", 3),)
    """


def test_calls_of_which_it_is_not_known_what_they_do_are_watched(load: Load) -> None:
    module = load(UNKNOWN)
    text = UNKNOWN.replace('("--second", 2)', '("--second", 5), ("--fourth", 4)')
    report = edit(module, text)
    assert report.status == "applied" and stale(report) == []
    assert plain(module.C) == cold(module, text)


def test_what_does_harm_is_not_done_again(load: Load) -> None:
    text = """\
        DONE = []
        SPEC = ("first",)

        def note(spec):
            DONE.append(spec)
            return spec

        class C:
            spec = note(SPEC)
            grown = note(SPEC)
            grown = grown + ("third",)
        """
    module = load(text)
    report = edit(module, text.replace('("first",)', '("second",)'))
    assert sorted(set(stale(report))) == ["C.grown", "C.spec"]
    assert module.DONE == [("first",), ("first",)]
    assert module.C.spec == ("first",) and module.C.grown == ("first", "third")


def test_debugger_that_traces_keeps_its_place(load: Load) -> None:
    module = load(UNKNOWN)

    def tracer(*_: Any) -> None:
        return None

    sys.settrace(tracer)
    try:
        report = edit(module, UNKNOWN.replace('("--second", 2)', '("--second", 5)'))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(None)
    assert sorted(set(stale(report))) == ["C.grown", "C.spec"]
    assert module.C.spec == (("--second", 2),)


def test_private_name(load: Load) -> None:
    text = """\
        class C:
            __base = {"a": 1}
            __all = __base.copy()
            __all["b"] = 2
        """
    module = load(text)
    edit(module, text.replace('"a": 1', '"a": 3'))
    assert module.C._C__all == {"a": 3, "b": 2}


def test_class_in_a_class(load: Load) -> None:
    text = """\
        SIZE = 1

        class Outer:
            class C:
                sizes = [SIZE]
                sizes.append(9)
        """
    module = load(text)
    inner = module.Outer.C
    report = edit(module, text.replace("SIZE = 1", "SIZE = 2"))
    assert stale(report) == [] and module.Outer.C is inner
    assert inner.sizes == [2, 9]


def test_what_reads_a_member_that_waits_for_the_commit_waits_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Low` waits, as it calls what is edited; the members of the others do so one by one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    number = next(_numbers)
    names = [f"late_member{number}_{part}" for part in ("low", "middle", "high")]
    low = """\
        def joined(*parts):
            return ",".join(parts)

        class Low:
            spec = joined("a", "b")
            def method(self): return 1
        """
    middle = f"""\
        import {names[0]}

        class Middle({names[0]}.Low):
            spec = {names[0]}.Low.spec + ";middle"
            both = [spec]
            both.append({names[0]}.Low.spec)

        ALL = [Middle.spec, *Middle.both]
        """
    high = f"""\
        from {names[1]} import Middle

        class High(Middle):
            spec = Middle.spec + ";high"
            twice = spec * 2
        """
    files = [tmp_path / f"{name}.py" for name in names]
    for file, text in zip(files, (low, middle, high)):
        file.write_text(textwrap.dedent(text))
    session = hotswap.watch(tmp_path)
    session.pause()
    importlib.invalidate_caches()
    try:
        first, second, third = [importlib.import_module(name) for name in reversed(names)][::-1]
        hotswap.sync()
        files[0].write_text(textwrap.dedent(low.replace('","', '"+"').replace('"b")', '"c")')))
        report = hotswap.sync()
    finally:
        session.stop()
    assert report.status == "applied" and stale(report) == []
    assert first.Low.spec == "a+c"
    assert second.Middle.spec == "a+c;middle" and second.Middle.both == ["a+c;middle", "a+c"]
    assert second.ALL == ["a+c;middle", "a+c;middle", "a+c"]
    assert third.High.spec == "a+c;middle;high" and third.High.twice == "a+c;middle;high" * 2
