"""Processes that a program makes: they watch by themselves, have a socket of their own, and end quietly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from live import save, until
from running import Running

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no Unix sockets that Python can use"
)

Run = Callable[..., Running]

MOD = "def f():\n    return {}\n"

FORKS = """\
import os, time, warnings
import mod
warnings.simplefilter("ignore", DeprecationWarning)

def work(number):
    end = time.monotonic() + 25
    while mod.f() != 2 and time.monotonic() < end:
        time.sleep(0.005)
    assert mod.f() == 2
    return number

if __name__ == "__main__":
    print("ready", flush=True)
    {start}
    work(0)
    print("done", flush=True)
"""
STARTS = {
    "os.fork": """pids = [os.fork() for _ in "a"]
    if pids[0] == 0:
        work(1)
        os._exit(0)
    import atexit
    atexit.register(lambda: print("ended with", os.waitpid(pids[0], 0)[1], flush=True))""",
    "multiprocessing": """import multiprocessing
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=work, args=(n,)) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(25)
    print("ended with", sum(child.exitcode for child in children), flush=True)""",
    "concurrent.futures": """import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, multiprocessing.get_context("{method}")) as pool:
        assert sorted(pool.map(work, range(2))) == [0, 1]
    print("ended with 0", flush=True)""",
}


@pytest.mark.parametrize(
    ("how", "method", "processes"),
    [
        ("os.fork", "fork", 2),
        ("multiprocessing", "fork", 3),
        ("multiprocessing", "spawn", 3),
        ("multiprocessing", "forkserver", 4),
        ("concurrent.futures", "spawn", 3),
        pytest.param("concurrent.futures", "fork", 3, marks=pytest.mark.slow),
        pytest.param("concurrent.futures", "forkserver", 4, marks=pytest.mark.slow),
    ],
)
def test_children_take_edits(how: str, method: str, processes: int, tmp_path: Path, run: Run) -> None:
    save(tmp_path / "mod.py", MOD.format(1))
    save(tmp_path / "app.py", FORKS.format(start=STARTS[how].format(method=method)))
    program = run("-m", "hotswap", "run", "app.py")
    family = program.processes(processes)
    # Each is asked at a socket of its own.
    assert len({process["channel"]["path"] for process in family}) == processes
    save(tmp_path / "mod.py", MOD.format(2))
    program.line("ended with 0")
    program.line("done") if how != "os.fork" else None
    assert program.process.wait(30) == 0
    program.reader.join(30)
    told = [line for line in program.rest() if line not in ("ready", "done", "ended with 0")]
    assert len(told) == 1 and "patched f" in told[0], told


def test_python_started_under_the_variable_watches(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "mod.py", MOD.format(1))
    save(
        tmp_path / "app.py",
        "import mod, time\nprint('ready', flush=True)\nwhile mod.f() == 1:\n    time.sleep(0.005)\nprint(mod.f())\n",
    )
    program = run("app.py", HOTSWAP="1")
    program.line("ready")
    program.processes(1)
    save(tmp_path / "mod.py", MOD.format(2))
    assert program.process.wait(30) == 0
    program.reader.join(30)
    assert program.rest() == ["ready", "2"]


LOADED = "import sys; print([name for name in sys.modules if name.startswith('hotswap')])"


@pytest.mark.parametrize("variables", [{}, {"HOTSWAP": "0"}, {"HOTSWAP_CHILDREN": "1 {}"}, {"HOTSWAP": ""}])
def test_nothing_is_imported_unless_asked(variables: dict[str, str], run: Run) -> None:
    program = run("-c", LOADED, **variables)
    assert program.process.wait(30) == 0
    program.reader.join(30)
    assert program.rest() == ["[]"]


def test_other_programs_below_hotswap_run_are_left_alone(tmp_path: Path, run: Run) -> None:
    save(
        tmp_path / "app.py",
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {LOADED!r}], check=True)\n",
    )
    program = run("-m", "hotswap", "run", "app.py")
    assert program.process.wait(30) == 0
    program.reader.join(30)
    assert program.rest() == ["[]"]


def test_child_that_is_killed_leaves_a_socket_that_the_next_one_clears(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "app.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    program = run("-m", "hotswap", "run", "app.py")
    (process,) = program.processes(1)
    program.process.kill()
    program.process.wait()
    assert Path(process["channel"]["path"]).exists()
    assert "there is no process" in program.hotswap("status", code=1)
    until(lambda: Path(process["channel"]["path"]).exists(), lambda there: not there)


def test_startup_with_the_variable_off_reads_a_line_and_no_more() -> None:
    import sysconfig

    places = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]
    line = next(
        place / "hotswap_children.pth" for place in places if (place / "hotswap_children.pth").exists()
    )
    assert line.stat().st_size < 200
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", ""], capture_output=True, text=True, check=True
    )
    assert "hotswap" not in done.stderr
