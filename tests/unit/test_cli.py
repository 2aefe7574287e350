from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fake_engine
from fake_engine import FakeEngine
from hotswap import Report, cli
from hotswap._plain import to_json
from hotswap._run import Target
from hotswap._stream_log import StreamLog, wants_colour


@pytest.mark.parametrize(
    ("words", "python", "own", "target"),
    [
        ("app.py --quiet -m x", "", "", Target("script", "app.py", ("--quiet", "-m", "x"))),
        ("--quiet app.py", "", "--quiet", Target("script", "app.py", ())),
        ("--watch lib --poll=2 app.py", "", "--watch lib --poll=2", Target("script", "app.py", ())),
        ("-m pkg.mod -c x", "", "", Target("module", "pkg.mod", ("-c", "x"))),
        ("-mpkg a", "", "", Target("module", "pkg", ("a",))),
        ("-c code -x", "", "", Target("code", "code", ("-x",))),
        ("-Oum pkg", "-O -u", "", Target("module", "pkg", ())),
        ("-W error -Xdev app.py", "-W error -X dev", "", Target("script", "app.py", ())),
        ("-OO app.py", "-O -O", "", Target("script", "app.py", ())),
        ("- a", "", "", Target("stdin", "-", ("a",))),
        ("-- -odd.py", "", "", Target("script", "-odd.py", ())),
        ("--quiet", "", "--quiet", None),
    ],
)
def test_words_are_sorted(words: str, python: str, own: str, target: Target | None) -> None:
    sorted_words = cli.split_run_words(words.split())
    assert sorted_words.python == tuple(python.split())
    assert sorted_words.own == tuple(own.split())
    assert sorted_words.target == target


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-m"], "argument expected for -m"),
        (["run", "-Z", "x.py"], "unknown option -Z"),
        (["run", "--watch"], "argument expected for --watch"),
        (["nonsense"], "there is no command 'nonsense', and no such file"),
        (["run", "--nonsense", "x.py"], "unrecognized arguments: --nonsense"),
        (["run", "--poll", "often", "x.py"], "expected auto, on, off or seconds, not 'often'"),
    ],
)
def test_bad_words(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], engines: object
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
        pytest.fail("went on")
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_version_help_and_doctor(capsys: pytest.CaptureFixture[str], engines: list[FakeEngine]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hotswap 0.0.0 (Python 3.")
    assert cli.main(["--help"]) == 0
    assert "script.py" in capsys.readouterr().out
    assert cli.main([]) == 2
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "yes  code" in out
    assert cli.main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["capabilities"][0]["name"] == "code"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def rejected() -> Report:
    error = {
        "type": "NameError",
        "message": "no x",
        "file": "/p/a.py",
        "line": 3,
        "traceback": "Traceback ...",
    }
    return Report.from_dict(fake_engine.report("rejected", 4, error=error, files=["/p/a.py"]))


def test_lines_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    log = StreamLog()
    log.write_report(rejected())
    assert stream.getvalue() == (
        "hotswap rejected  /p/a.py:3  NameError: no x; generation 4 keeps running\nTraceback ...\n"
    )


def test_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    StreamLog().write_report(Report.from_dict(fake_engine.report(changes=[])))
    assert stream.getvalue().startswith("\x1b[1;32mhotswap #1\x1b[0m  ")
    assert stream.getvalue().endswith("\x1b[2m   1.8 ms\x1b[0m\n")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(stream)


def test_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    log = StreamLog(as_json=True)
    log.write_report(rejected())
    log.emit(logging.LogRecord("hotswap", logging.WARNING, "", 0, "polling %s", ("/mnt",), None))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["status"], first["error"]["line"]) == ("rejected", 3)
    assert second["message"] == "polling /mnt"


def test_closed_stderr_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log = StreamLog()
    stream.close()
    log.write_report(rejected())
    monkeypatch.setattr(sys, "stderr", None)
    StreamLog().write_report(rejected())


def test_lines_wait_while_a_full_screen_program_has_the_terminal() -> None:
    tty = pytest.importorskip("tty")
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as stream:
        log = StreamLog(stream=stream)
        modes = tty.tcgetattr(slave)
        tty.setraw(slave)
        log.write_report(rejected())
        log.flush()
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 1000)
        tty.tcsetattr(slave, tty.TCSANOW, modes)
        log.flush()
        assert b"hotswap rejected" in os.read(master, 1000)
        # A prompt that edits its line is no full-screen program.
        tty.setcbreak(slave)
        log.write_report(rejected())
        assert b"hotswap rejected" in os.read(master, 1000)
        log.close()
    os.close(master)


def test_a_run_without_options_has_the_defaults_of_the_parser() -> None:
    assert vars(cli._run_parser().parse_args([])) == {**vars(cli.RunOptions()), "watch": []}
    takes_value = {
        option
        for action in cli._run_parser()._actions
        for option in action.option_strings
        if option.startswith("--") and action.nargs != 0
    }
    assert takes_value == cli._OWN_FLAGS_WITH_VALUE


def test_what_workers_are_told_is_json() -> None:
    told = {"a": (1, 0, 2.5, True, False, None), "b": ['"\u00e4\n', {}], "c": {"d": ()}}
    assert json.loads(to_json(told)) == json.loads(json.dumps(told))


def test_a_start_loads_next_to_nothing_of_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import sys\nprint(*sys.modules)\n")

    def loaded(*words: str) -> set[str]:
        command = [sys.executable, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        return set(done.stdout.split())

    heavy = {"argparse", "json", "logging", "dis", "ast", "inspect", "typing", "dataclasses", "socket", "re"}
    # Of what stands in the `.pth` files of the environment we know nothing.
    assert not heavy & (loaded("-m", "hotswap", "app.py") - loaded("-m", "app"))
