"""`monitor_dir` as the module-hot-loading package documents it, on the real engine."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest


class Program:
    """A program in its own process, written to a folder, that answers questions on stdin."""

    ASK = """
import sys, threading
from threading import Event
from module_hot_loading import monitor_dir
{imports}
event = Event()
event.set()
def monitor():
    monitor_dir({path!r}, event, __file__, interval=2, only_import_exist={only_import_exist})
    print("monitor ended", flush=True)
thread = threading.Thread(target=monitor)
thread.start()
import hotswap
from hotswap import _loop
while _loop.current is None:
    pass
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(repr(eval(line)), flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
event.clear()
thread.join()
"""

    def __init__(self, folder: Path, imports: str = "", only_import_exist: bool = False) -> None:
        self.folder = folder
        script = self.ASK.format(imports=imports, path=str(folder), only_import_exist=only_import_exist)
        (folder / "app.py").write_text(script)
        self.process = subprocess.Popen(
            [sys.executable, "-u", "app.py"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().rstrip("\n")
        if not line and self.process.poll() is not None:
            assert self.process.stderr is not None
            pytest.fail("the program died:\n" + self.process.stderr.read())
        return line

    def ask(self, expression: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        return self.line()

    def until(self, expression: str, expected: str, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while (answer := self.ask(expression)) != expected:
            assert time.monotonic() < deadline, f"{expression} is {answer}, not {expected}"
            time.sleep(0.01)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Program]:
    return lambda **options: Program(tmp_path, **options)


def save(path: Path, text: str) -> None:
    path.write_text(text)


def replace(path: Path, text: str) -> None:
    """Save as editors do: a temporary file, renamed over the old one."""
    temporary = path.with_name(path.name + ".tmp~")
    temporary.write_text(text)
    temporary.replace(path)


@pytest.mark.parametrize("write", [save, replace])
def test_changed_module_runs_again(
    write: Callable[[Path, str], None], start: Callable[..., Program], tmp_path: Path
) -> None:
    module = tmp_path / "happy.py"
    module.write_text("import time\nvalue = 1\ndef f():\n    return value\nheld = f\n")
    program = start(imports="import happy; kept = happy.f; before = happy")
    assert program.ask("happy.f()") == "1"
    write(module, "import time\nvalue = 22\ndef f():\n    return value\nheld = f\n")
    program.until("kept()", "22")
    assert program.ask("happy is before is sys.modules['happy']") == "True"
    code, out, err = program.end()
    assert (code, out, err) == (0, "monitor ended\n", "")


def test_new_file_is_imported_at_once(start: Callable[..., Program], tmp_path: Path) -> None:
    program = start(only_import_exist=False)
    (tmp_path / "fresh.py").write_text("value = 5\n")
    program.until("sys.modules['fresh'].value", "5")


def test_new_file_is_left_alone(start: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("value = 1\n")
    program = start(imports="import old", only_import_exist=True)
    (tmp_path / "fresh.py").write_text("value = 5\n")
    (tmp_path / "old.py").write_text("value = 222\n")
    program.until("old.value", "222")
    assert program.ask("'fresh' in sys.modules") == "False"


def test_deleted_file_leaves(start: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("value = 1\n")
    program = start(imports="import old")
    (tmp_path / "old.py").unlink()
    program.until("'old' in sys.modules", "False")


def test_main_is_patched_and_not_run(start: Callable[..., Program], tmp_path: Path) -> None:
    program = start(imports="def answer():\n    return 1\nruns = [1]")
    script = tmp_path / "app.py"
    save(script, script.read_text().replace("return 1", "return 42"))
    program.until("answer()", "42")
    assert program.ask("runs, threading.active_count() < 5") == "([1], True)"
    assert program.end()[0] == 0


def test_busy_log_file_does_not_postpone(start: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("value = 1\n")
    program = start(imports="import mod")
    stop = threading.Event()

    def write_log() -> None:
        with open(tmp_path / "app.log", "w") as log:
            while not stop.wait(0.005):
                log.write("line\n")
                log.flush()

    writer = threading.Thread(target=write_log)
    writer.start()
    try:
        (tmp_path / "mod.py").write_text("value = 222\n")
        program.until("mod.value", "222", seconds=6)
    finally:
        stop.set()
        writer.join()


def test_broken_save_is_refused_and_the_next_taken(start: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("value = 1\n")
    program = start(imports="import mod, hotswap; from hotswap import _loop")
    save(tmp_path / "mod.py", "value = (\n")
    program.until("_loop.current.history and _loop.current.history[-1].status", "'rejected'")
    assert program.ask("mod.value") == "1"
    save(tmp_path / "mod.py", "value = 33\n")
    program.until("mod.value", "33")


def test_no_such_directory(tmp_path: Path) -> None:
    import hotswap

    event = threading.Event()
    event.set()
    with pytest.raises(hotswap.WatchError, match="no such path"):
        hotswap.monitor_dir(tmp_path / "missing", event, __file__)


def test_turned_off_it_still_blocks_until_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hotswap

    monkeypatch.setenv("HOTSWAP", "0")
    event = threading.Event()
    event.set()
    thread = threading.Thread(target=hotswap.monitor_dir, args=(str(tmp_path), event, __file__))
    thread.start()
    assert thread.is_alive()
    event.clear()
    thread.join(10)
    assert not thread.is_alive()
