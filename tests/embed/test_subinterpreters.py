"""Sub-interpreters: those with the main interpreter's lock are watched each by itself, others say why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from embed.hosts import surroundings

BEGIN = """\
try:
    import _interpreters as api
except ImportError:
    import _xxsubinterpreters as api
import sys

def make(isolated):
    if sys.version_info >= (3, 13):
        return api.create("isolated" if isolated else "legacy")
    return api.create(isolated=isolated)

def run(interpreter, code):
    failed = (api.exec if sys.version_info >= (3, 13) else api.run_string)(interpreter, code)
    assert failed is None, failed
"""
# A module `part` of its own, edited through a session of its own.
CODE = """\
import os, sys
sys.path[:0] = [{folder!r}]
import hotswap, part

def save(answer):
    with open(part.__file__ + "~", "w") as file:
        file.write(f"def answer():\\n    return {{answer}}\\n" + "\\n" * answer)
    os.replace(part.__file__ + "~", part.__file__)

session_folder = {folder!r}
session = hotswap.watch(session_folder)
"""
EDIT = """\
save({answer})
report = session.sync()
assert report.status == "applied" and part.answer() == {answer}, report
print({name!r}, report.status, part.answer(), flush=True)
"""


def program(tmp_path: Path, text: str) -> str:
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.py").write_text("def answer():\n    return 1\n")
    names = {name: str(tmp_path / name) for name in ("first", "second", "third")}
    begin = BEGIN + f"folders = {names!r}\nCODE = {CODE!r}\nEDIT = {EDIT!r}\n"
    words = [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning", "-c", begin + text]
    env = surroundings()
    del env["PYTHONHOME"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


# The module that makes interpreters neither runs nor destroys one that has a second thread on 3.9 to 3.11, and takes the
# state of that thread for its own when it destroys one on 3.12.
STOP = "session.stop()\n" if sys.version_info < (3, 13) else ""


def test_each_interpreter_has_an_engine_of_its_own(tmp_path: Path) -> None:
    out = program(
        tmp_path,
        f"""
exec(CODE.format(folder=folders["first"]))
for name in ("second", "third"):
    interpreter = make(False)
    run(interpreter, CODE.format(folder=folders[name]) + EDIT.format(answer=2, name=name) + {STOP!r})
    exec(EDIT.format(answer=2 if name == "second" else 4, name="first"))
    begin = "session = hotswap.watch(session_folder)\\n" if {STOP!r} else ""
    run(interpreter, begin + EDIT.format(answer=3, name=name) + {STOP!r})
    api.destroy(interpreter)
    exec(EDIT.format(answer=3 if name == "second" else 5, name="first"))
""",
    )
    assert out.splitlines() == [
        "second applied 2",
        "first applied 2",
        "second applied 3",
        "first applied 3",
        "third applied 2",
        "first applied 4",
        "third applied 3",
        "first applied 5",
    ]


def test_a_sub_interpreter_is_watched_where_the_main_one_is_not(tmp_path: Path) -> None:
    out = program(
        tmp_path,
        f"""
for name in ("first", "second"):
    interpreter = make(False)
    run(interpreter, CODE.format(folder=folders[name]) + EDIT.format(answer=2, name=name) + {STOP!r})
    api.destroy(interpreter)
exec(CODE.format(folder=folders["third"]) + EDIT.format(answer=2, name="third"))
""",
    )
    assert out.splitlines() == [f"{name} applied 2" for name in ("first", "second", "third")]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="see STOP")
def test_a_sub_interpreter_ends_while_an_update_of_it_is_busy(tmp_path: Path) -> None:
    out = program(
        tmp_path,
        """
import os, time
interpreter = make(False)
busy = "open('begun', 'w').close()\\nwhile True: pass\\n"
run(interpreter, CODE.format(folder=folders["first"]) + f"open(part.__file__, 'w').write({busy!r})\\n")
while not os.path.exists("begun"):
    time.sleep(0.002)
api.destroy(interpreter)
exec(CODE.format(folder=folders["second"]) + EDIT.format(answer=2, name="second"))
""",
    )
    assert out.splitlines() == ["second applied 2"]


def test_an_isolated_interpreter_is_told_why_it_cannot_be_watched(tmp_path: Path) -> None:
    out = program(
        tmp_path,
        """
interpreter = make(True)
run(interpreter, f'''
import sys
sys.path[:0] = [{folders["first"]!r}]
import hotswap, part
try:
    hotswap.watch({folders["first"]!r})
except hotswap.HotswapError as error:
    print(error)
try:
    hotswap.sync()
except hotswap.NotWatchingError as error:
    print(error)
''')
api.destroy(interpreter)
exec(CODE.format(folder=folders["second"]) + EDIT.format(answer=2, name="second"))
""",
    )
    refused, nothing, second = out.splitlines()
    if sys.version_info >= (3, 12):
        assert refused.startswith("hotswap cannot run in an interpreter with a lock (GIL) of its own")
    else:
        assert refused == (
            "hotswap needs a thread of its own, which cannot be started: "
            "thread is not supported for isolated subinterpreters"
        )
    assert nothing == "nothing is watched; call hotswap.watch() first"
    assert second == "second applied 2"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="only C can make such an interpreter")
def test_an_interpreter_that_waits_for_its_threads_is_told_why_it_cannot_be_watched(tmp_path: Path) -> None:
    out = program(
        tmp_path,
        """
interpreter = api.create(api.new_config("legacy", allow_daemon_threads=False))
run(interpreter, f'''
import sys
sys.path[:0] = [{folders["first"]!r}]
import hotswap, part
try:
    hotswap.watch({folders["first"]!r})
except hotswap.HotswapError as error:
    print(error)
''')
api.destroy(interpreter)
exec(CODE.format(folder=folders["second"]) + EDIT.format(answer=2, name="second"))
""",
    )
    assert out.splitlines() == [
        "hotswap needs a thread of its own, which cannot be started: "
        "daemon threads are disabled in this (sub)interpreter",
        "second applied 2",
    ]
