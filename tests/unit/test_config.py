from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hotswap import HotswapConfigError
from hotswap._config import Options, enabled, resolve


def write(folder: Path, table: str) -> Path:
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(f"[tool.hotswap]\n{table}\n", encoding="utf-8")
    return pyproject


def test_defaults(tmp_path: Path) -> None:
    assert resolve([], {}) == Options()
    assert resolve([tmp_path], {}).paths == (str(tmp_path),)


def test_nearest_pyproject_at_or_above_the_path(tmp_path: Path) -> None:
    write(tmp_path, 'strategy = "reload"')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert resolve([inner], {}).strategy == "reload"
    write(tmp_path / "a", "history = 5")
    assert resolve([inner], {}) == Options(paths=(str(inner),), history=5)


def test_order_of_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'strategy = "reload"\npoll = 3\nconsistency = "quiescent"')
    assert resolve([], {}, {"strategy": "patch"}).strategy == "reload"
    monkeypatch.setenv("HOTSWAP_POLL", "0.5")
    monkeypatch.setenv("HOTSWAP_CONSISTENCY", "immediate")
    options = resolve([], {"consistency": "auto", "poll": None})
    assert (options.strategy, options.poll, options.consistency) == ("reload", 0.5, "auto")


def test_environment_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    monkeypatch.setenv("HOTSWAP_EXCLUDE", f"*_pb2.py{os.pathsep}build")
    monkeypatch.setenv("HOTSWAP_POLL", "true")
    monkeypatch.setenv("HOTSWAP_ONLY_IMPORT_EXIST", "0")
    monkeypatch.setenv("HOTSWAP_HISTORY", "7")
    monkeypatch.setenv("HOTSWAP_PATHS", "src")
    options = resolve([], {})
    assert options.exclude == ("*_pb2.py", "build")
    assert (options.poll, options.only_import_exist, options.history) == (True, False, 7)
    assert options.paths == (str(tmp_path / "src"),)


def test_configured_paths_are_relative_to_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'paths = ["src"]')
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert resolve([], {}).paths == (str(tmp_path / "src"),)
    assert resolve([inner], {}).paths == (str(inner),)
    assert resolve([inner], {}, with_configured_paths=True).paths == (str(inner), str(tmp_path / "src"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('strategy = "magic"', "strategy = 'magic': expected one of patch, reload"),
        ("poll = 'often'", "poll = 'often': expected auto, true, false or a number of seconds above 0"),
        ("poll = -1", "poll = -1: expected auto"),
        ('exclude = "x"', "exclude = 'x': expected a list of strings"),
        ("history = 0", "history = 0: expected a whole number of at least 1"),
        ("interval = true", "interval = True: expected a number of seconds"),
        ("only_import_exist = 1", "only_import_exist = 1: expected true or false"),
        ('stratgy = "patch"', "stratgy = 'patch': no such setting; did you mean strategy?"),
        ("zzz = 1", "zzz = 1: no such setting; there are allow_world_writable, apply,"),
        ("poll = ", "not valid TOML"),
    ],
)
def test_bad_pyproject_is_named(line: str, expected: str, tmp_path: Path) -> None:
    pyproject = write(tmp_path, line)
    with pytest.raises(HotswapConfigError) as caught:
        resolve([], {})
    assert str(pyproject) in str(caught.value)
    assert expected in str(caught.value)


def test_pyproject_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff[tool.hotswap]")
    with pytest.raises(HotswapConfigError, match="cannot be read"):
        resolve([], {})


def test_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSWAP_POLL", "sometimes")
    with pytest.raises(HotswapConfigError, match=r"HOTSWAP_POLL=sometimes: expected auto"):
        resolve([], {})


def test_bad_argument_is_named() -> None:
    with pytest.raises(HotswapConfigError, match=r"argument strategy='x': expected one of patch, reload"):
        resolve([], {"strategy": "x"})


def test_unknown_variable_is_only_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOTSWAP_STRATEGI", "reload")
    with caplog.at_level(logging.WARNING, "hotswap"):
        assert resolve([], {}) == Options()
    assert "did you mean HOTSWAP_STRATEGY?" in caplog.text


@pytest.mark.parametrize(
    ("value", "expected"), [("0", False), ("off", False), ("FALSE", False), ("1", True), ("", True)]
)
def test_switch(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSWAP", value)
    assert enabled() is expected


def test_working_directory_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    try:
        gone.rmdir()
    except OSError:
        pytest.skip("this system keeps a working directory from being removed")
    assert resolve([], {}) == Options()


@pytest.mark.parametrize(
    "text",
    [
        "[tool.hotswap]\nhistory = 7",
        "[ tool . 'hotswap' ]\nhistory = 7",
        "[tool]\nhotswap = { history = 7 }",
        "tool.hotswap.history = 7",
        "tool = { hotswap.history = 7 }",
    ],
)
def test_every_way_to_write_the_table(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert resolve([tmp_path], {}).history == 7


def test_a_project_that_only_depends_on_hotswap_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["hotswap"]\nthis is no TOML')
    assert resolve([tmp_path], {}).history == 100
