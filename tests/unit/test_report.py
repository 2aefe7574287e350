from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import fake_engine
from hotswap import Change, ErrorInfo, Group, Pending, Report
from hotswap._report import merge


def change(qualname: str, action: str, reason: str = "", kind: str = "function") -> Change:
    return Change(qualname, "shop.cart", "/p/shop/cart.py", 3, kind, action, reason)


def cart(tmp_path: Path, *changes: Change, **more: Any) -> Report:
    path = str(tmp_path / "shop" / "cart.py")
    return Report(
        7,
        "applied",
        (Group("applied", (path,), changes),),
        (path,),
        changes,
        duration_ms={"total": 1.84},
        **more,
    )


def test_line_of_an_applied_update(tmp_path: Path) -> None:
    report = cart(
        tmp_path,
        change("Cart.total", "patched"),
        change("Cart.discount", "added"),
        change("LIMIT", "re-ran"),
        change("a.LIMIT", "rebound"),
        change("b.LIMIT", "rebound"),
    )
    assert (
        str(report)
        == "hotswap #7  shop/cart.py  patched Cart.total, +Cart.discount, LIMIT re-ran (2 dependants)   1.8 ms"
    )


def test_line_of_a_rejected_update(tmp_path: Path) -> None:
    path = str(tmp_path / "shop" / "cart.py")
    error = ErrorInfo("SyntaxError", "'(' was never closed", path, 41)
    report = Report(7, "rejected", (Group("rejected", (path,), (), error),), (path,), error=error)
    assert (
        str(report)
        == "hotswap rejected  shop/cart.py:41  SyntaxError: '(' was never closed; generation 7 keeps running"
    )


def test_line_of_a_migration(tmp_path: Path) -> None:
    report = cart(tmp_path, change("Point", "migrated", "slot added, 12 instances migrated"))
    assert str(report) == "hotswap #7  shop/cart.py  Point: slot added, 12 instances migrated   1.8 ms"


def test_line_of_a_held_update(tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    report = Report(3, "held", (Group("held", (path,)),), (path,), notes=("worker is inside a.run",))
    assert str(report) == "hotswap held  a.py  worker is inside a.run"


def test_line_of_nothing() -> None:
    assert str(Report(3)) == "hotswap unchanged"
    assert str(Report(notes=("an update is in progress",))) == "hotswap unchanged  an update is in progress"


def test_line_names_applied_and_rejected_groups(tmp_path: Path) -> None:
    good, bad = str(tmp_path / "good.py"), str(tmp_path / "bad.py")
    error = ErrorInfo("NameError", "name 'x' is not defined\nmore", bad, 2)
    report = Report(
        4,
        "rejected",
        (Group("applied", (good,), (change("f", "patched"),)), Group("rejected", (bad,), (), error)),
        (good, bad),
        error=error,
        duration_ms={"plan": 1.0, "commit": 0.5},
    )
    assert str(report) == (
        "hotswap #4  good.py  patched f   1.5 ms; "
        "rejected  bad.py:2  NameError: name 'x' is not defined; generation 4 keeps running"
    )


def test_line_stays_short(tmp_path: Path) -> None:
    changes = tuple(change(f"f{n}", "patched") for n in range(40))
    paths = tuple(str(tmp_path / f"m{n}.py") for n in range(40))
    report = Report(
        1, "applied", (Group("applied", paths, changes),), paths, changes, duration_ms={"total": 2}
    )
    assert str(report) == (
        "hotswap #1  m0.py, m1.py, m2.py and 37 more  patched f0, f1, f2, f3 and 36 more   2.0 ms"
    )


def test_line_says_what_is_stale(tmp_path: Path) -> None:
    report = cart(
        tmp_path,
        change("LIMIT", "re-ran"),
        change("TABLE", "stale", "depends on LIMIT; calls f, which does I/O"),
    )
    assert str(report) == "hotswap #7  shop/cart.py  LIMIT re-ran, TABLE stale: depends on LIMIT   1.8 ms"


def test_path_outside_the_working_directory_is_whole() -> None:
    path = os.path.abspath(os.sep + os.path.join("elsewhere", "a.py"))
    report = Report(1, "applied", (Group("applied", (path,), (change("f", "patched"),)),), (path,))
    assert path in str(report)


def test_dict_and_back() -> None:
    native = fake_engine.report(
        changes=[change("f", "patched").__dict__],
        error=ErrorInfo("E", "m", "f", 1, "t").__dict__,
        pending=[Pending("thread T", "f", "/a.py", 3, "in a loop").__dict__],
        notes=["n"],
    )
    report = Report.from_dict(native)
    assert report.to_dict() == native
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_dict_of_an_older_version_is_read() -> None:
    assert Report.from_dict({}) == Report()


def test_reports_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Report().status = "applied"  # type: ignore[misc]


def applied(generation: int, *paths: str) -> Report:
    return Report(generation, "applied", (Group("applied", paths, (change("f", "patched"),)),), paths)


def rejected(generation: int, *paths: str) -> Report:
    error = ErrorInfo("SyntaxError", "invalid syntax", paths[0], 1)
    return Report(generation, "rejected", (Group("rejected", paths, (), error),), paths, error=error)


def test_merge_keeps_what_was_applied_before() -> None:
    report = merge([applied(1, "a.py"), Report(1)])
    assert (report.status, report.generation, report.files) == ("applied", 1, ("a.py",))
    assert len(report.changes) == 1


def test_merge_forgets_a_refusal_that_was_mended() -> None:
    report = merge([rejected(0, "a.py"), applied(1, "a.py")])
    assert (report.status, report.error, len(report.groups)) == ("applied", None, 1)


def test_merge_shows_a_refusal_beside_a_success() -> None:
    report = merge([applied(1, "a.py"), rejected(1, "b.py")])
    assert report.status == "rejected"
    assert [group.status for group in report.groups] == ["applied", "rejected"]
    assert report.error is not None


def test_merge_counts_one_refusal_once() -> None:
    assert len(merge([rejected(0, "a.py"), rejected(0, "a.py")]).groups) == 1
