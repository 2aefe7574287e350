"""An exception of any kind, anywhere in an update, leaves the process as it was, and is not lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_injection
from test_injection import NEW, OLD, write

import fingerprint
import hotswap

EXCEPTIONS = {
    "ValueError": "raise ValueError('no')",
    "SystemExit": "raise SystemExit(3)",
    "GeneratorExit": "raise GeneratorExit",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "MemoryError": "raise MemoryError",
    "StopIteration": "raise StopIteration",
    "RecursionError": "(lambda f: f(f))(lambda f: f(f) + 1)",
    "Odd": "raise type('Odd', (BaseException,), {})",
}

PLACES = {
    "module": "{}\n",
    "after a late statement": "again = total([1])\n{}\n",
    "function called": "def failing():\n    {}\n\n\nfailing()\n",
    "class body": "class Failing:\n    part = 1\n    {}\n",
    "decorator": "def failing(function):\n    {}\n\n\n@failing\ndef added():\n    pass\n",
    "default": "def failing():\n    {}\n\n\ndef added(value=failing()):\n    pass\n",
    "subclass hook": "class Top:\n    def __init_subclass__(cls):\n        {}\n\n\nclass Below(Top):\n    pass\n",
    "set name": "class Named:\n    def __set_name__(self, owner, name):\n        {}\n\n\nclass Owner:\n    part = Named()\n",
    "registration": "core.handlers.append(run)\ncore.routes['/x'] = run\n{}\n",
}

folder = test_injection.folder


@pytest.fixture
def program(folder: Path) -> Iterator[tuple[Path, list[Any]]]:
    import shop.use  # type: ignore[import-not-found]

    roots = [shop.use.run, shop.models.Slotted(7), shop.models.Leaf()]
    hotswap.sync()
    # What an update imports at its first time.
    write(folder, {**OLD, "shop/use.py": OLD["shop/use.py"] + "1 / 0\n"})
    hotswap.sync()
    write(folder, OLD)
    hotswap.sync()
    yield folder, roots


def fail(folder: Path, sources: dict[str, str], kind: str) -> hotswap.Report:
    write(folder, sources)
    session = hotswap.watch(folder)
    try:
        if kind == "KeyboardInterrupt":
            # It means the program: undone, reported, and raised.
            with pytest.raises(KeyboardInterrupt):
                hotswap.sync()
            return session.history[-1]
        return hotswap.sync()
    finally:
        session.stop()


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_every_kind_of_exception(program: tuple[Path, list[Any]], kind: str) -> None:
    folder, roots = program
    before = fingerprint.take(folder, roots)
    report = fail(folder, {**NEW, "shop/use.py": NEW["shop/use.py"] + EXCEPTIONS[kind] + "\n"}, kind)
    assert report.status == "rejected"
    assert report.error is not None and report.error.type == kind, report.error
    assert report.error.file.endswith("use.py") and report.error.line > 0
    assert fingerprint.differences(before, fingerprint.take(folder, roots)) == []
    write(folder, {**NEW, "shop/use.py": NEW["shop/use.py"] + "\n"})
    assert hotswap.sync().status == "applied"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["ValueError", "SystemExit"])
def test_every_place(program: tuple[Path, list[Any]], place: str, kind: str) -> None:
    folder, roots = program
    before = fingerprint.take(folder, roots)
    added = PLACES[place].format(EXCEPTIONS[kind])
    report = fail(folder, {**NEW, "shop/use.py": NEW["shop/use.py"] + added}, kind)
    assert report.status == "rejected"
    found = fingerprint.differences(before, fingerprint.take(folder, roots))
    assert found == []


@pytest.mark.parametrize("file", ["shop/extra.py", "shop/deeper.py"])
def test_new_module_that_fails(program: tuple[Path, list[Any]], file: str) -> None:
    folder, roots = program
    before = fingerprint.take(folder, roots)
    report = fail(folder, {**NEW, file: NEW[file] + "raise ValueError('no')\n"}, "ValueError")
    assert report.status == "rejected"
    assert fingerprint.differences(before, fingerprint.take(folder, roots)) == []
    write(folder, NEW)
    assert hotswap.sync().status == "applied"
    assert sys.modules["shop.extra"].helper() == 7


def test_keyboard_interrupt_in_another_thread_is_reported(program: tuple[Path, list[Any]]) -> None:
    folder, _ = program
    write(folder, {**OLD, "shop/use.py": OLD["shop/use.py"] + "raise KeyboardInterrupt\n"})
    reports: list[hotswap.Report] = []
    thread = threading.Thread(target=lambda: reports.append(hotswap.sync()))
    thread.start()
    thread.join(10)
    assert reports[0].status == "rejected"
    assert reports[0].error is not None and reports[0].error.type == "KeyboardInterrupt"


def test_modules_of_a_group_that_succeeds_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("grouped_a", "grouped_b", "grouped_new_a", "grouped_new_b")
    files = {name: tmp_path / f"{name}.py" for name in names}
    files["grouped_a"].write_text("X = 1\n")
    files["grouped_b"].write_text("X = 1\n")
    with hotswap.watch(tmp_path) as session:
        session.pause()
        one, two = __import__("grouped_a"), __import__("grouped_b")
        hotswap.sync()
        files["grouped_new_a"].write_text("Y = 1\n")
        files["grouped_new_b"].write_text("Y = 1\n")
        files["grouped_a"].write_text("import grouped_new_a\nX = grouped_new_a.Y + 1\n")
        files["grouped_b"].write_text("import grouped_new_b\nX = 1 / 0\n")
        report = hotswap.sync()
        assert sorted(group.status for group in report.groups) == ["applied", "rejected"]
        assert one.X == 2 and sys.modules["grouped_new_a"] is one.grouped_new_a
        assert "grouped_new_b" not in sys.modules and two.X == 1
    for name in names:
        sys.modules.pop(name, None)


def test_what_a_failed_statement_did_outside_is_named(program: tuple[Path, list[Any]]) -> None:
    folder, _ = program
    added = "import os\nos.environ['HOTSWAP_ROLLBACK_TEST'] = '1'\nos.putenv('A', 'b')\n1 / 0\n"
    report = fail(folder, {**OLD, "shop/use.py": OLD["shop/use.py"] + added}, "ZeroDivisionError")
    line = OLD["shop/use.py"].count("\n") + 3
    expected = f"{folder / 'shop/use.py'}:{line}: `os.putenv('A', 'b')` had run; what it did outside the module is not undone"
    assert expected in report.notes, report.notes


def test_program_that_wrote_meanwhile_keeps_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "meanwhile.py"
    head = "import sys\n\n\ndef f():\n    return {0}\n\n\nTABLE = {1}\nX = {0}\n"
    file.write_text(head.format(1, "{'a': 1}"))
    with hotswap.watch(tmp_path) as session:
        session.pause()
        module: Any = __import__("meanwhile")
        hotswap.sync()
        # The statement is run by the update; it stands for another thread that writes between the two.
        late = "\n\ndef touch():\n    me = sys.modules[__name__]\n    vars(me)['X'] = 'mine'\n    me.f.__defaults__ = (5,)\n    raise ValueError\n\n\ntouch()\n"
        file.write_text(head.format(2, "{'a': 2}") + late)
        report = hotswap.sync()
        assert report.status == "rejected"
        assert module.f() == 1 and module.TABLE == {"a": 1}
        assert not hasattr(module, "touch")
        assert module.X == "mine"
        assert module.f.__defaults__ == (5,)
    del sys.modules["meanwhile"]
