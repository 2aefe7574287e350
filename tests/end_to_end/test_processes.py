"""Exit, fork, threads and hosts: what a watched process may do with itself."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from live import edit
from program import Program
from test_bad_input import drive

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")

ANSWERS = """\
import sys
from words import word

def answer():
    return word() + "."

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(answer(), flush=True)
"""


def test_main_and_its_module_change_while_it_reads(tmp_path: Path, run: Callable[..., Program]) -> None:
    (tmp_path / "app.py").write_text(ANSWERS)
    (tmp_path / "words.py").write_text("def word():\n    return 'one'\n")
    program = run("app.py")
    program.line("ready")
    program.say("?")
    assert program.line() == "one."
    edit(tmp_path / "words.py", "one", "two")
    program.line("hotswap #1", "words.py")
    program.say("?")
    assert program.line() == "two."
    edit(tmp_path / "app.py", '"."', '"!"')
    program.line("hotswap #2", "app.py")
    program.say("?")
    assert program.line() == "two!"
    assert program.end() == 0


def test_json_lines(tmp_path: Path, run: Callable[..., Program]) -> None:
    import json

    (tmp_path / "app.py").write_text(ANSWERS)
    (tmp_path / "words.py").write_text("def word():\n    return 'one'\n")
    program = run("--json", "app.py")
    program.line("ready")
    edit(tmp_path / "words.py", "one", "two")
    report = json.loads(program.line("{"))
    assert (report["status"], report["generation"]) == ("applied", 1)
    assert report["changes"][0]["qualname"] == "word"


@POSIX
@pytest.mark.parametrize("moment", ["when it watches", "before it watches"])
def test_forked_worker_takes_edits(moment: str, tmp_path: Path) -> None:
    drive(
        tmp_path,
        f"armed = {moment == 'when it watches'}\n"
        + textwrap.dedent("""
        import mod, warnings
        from hotswap import _loop
        warnings.simplefilter("ignore", DeprecationWarning)
        hotswap.watch(".")
        read, write = os.pipe()
        pids = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                while armed and _loop.current._engine is None:
                    time.sleep(0.005)
                os.write(write, b".")
                end = time.monotonic() + 20
                while mod.f() != 2 and time.monotonic() < end:
                    time.sleep(0.005)
                os._exit(0 if mod.f() == 2 else 1)
            pids.append(pid)
        for _ in pids:
            os.read(read, 1)
        save("mod.py", "value = 2\\ndef f():\\n    return value\\n")
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
        end = time.monotonic() + 20
        while mod.f() != 2:
            assert time.monotonic() < end
            time.sleep(0.005)
        """),
    )


@POSIX
def test_forked_child_ends_cleanly(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import multiprocessing, mod, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        hotswap.watch(".")
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=mod.f) for _ in range(10)]
        for child in children:
            child.start()
        for child in children:
            child.join(30)
        assert [child.exitcode for child in children] == [0] * 10
        pid = os.fork()
        if pid == 0:
            sys.exit(7)
        assert os.waitpid(pid, 0)[1] == 7 << 8
        """,
    )


@pytest.mark.parametrize(
    "ending",
    ["", "sys.exit(0)", "import threading; threading.Thread(target=time.sleep, args=(0.1,)).start()"],
)
def test_interpreter_ends_cleanly(ending: str, tmp_path: Path) -> None:
    drive(tmp_path, f"import mod\nhotswap.watch('.')\nsave('mod.py', 'value = 3')\n{ending}\n", seconds=20)


def test_an_update_is_the_first_to_import_threading(tmp_path: Path) -> None:
    # Up to CPython 3.12 the thread that does so passes for the main thread.
    drive(
        tmp_path,
        """
        import mod
        hotswap.watch(".")
        assert "threading" not in sys.modules
        save("mod.py", "import threading\\ndef f():\\n    return threading\\nvalue = threading.current_thread()\\n")
        end = time.monotonic() + 20
        while mod.f() == 1:
            assert time.monotonic() < end
            time.sleep(0.005)
        import threading
        assert mod.f() is threading and sys.modules["threading"] is threading
        assert threading.__loader__ is threading.__spec__.loader
        assert type(threading.__loader__).__module__ != "hotswap._main_thread"
        main = threading.main_thread()
        assert main is threading.current_thread() and main.ident == threading.get_ident() and main.is_alive()
        assert mod.value is not main
        threading.Thread(target=time.sleep, args=(0.1,)).start()
        """,
        seconds=20,
    )


def test_everything_off_the_main_thread(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import threading
        def life():
            import mod
            with hotswap.watch("."):
                save("mod.py", "value = 2\\ndef f():\\n    return value\\n")
                assert hotswap.sync().status == "applied"
                done.append(mod.f())
        done = []
        thread = threading.Thread(target=life)
        thread.start()
        thread.join()
        assert done == [2]
        """,
    )


def test_without_main_file_and_arguments(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        del sys.argv, sys.modules["__main__"].__builtins__
        sys.executable = None
        hotswap.watch().pause()
        save("mod.py", "value = 2\\ndef f():\\n    return value\\n")
        assert hotswap.sync().status == "applied"
        assert mod.f() == 2
        """,
    )


def test_history_rollback_and_diff(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        session = hotswap.watch(".")
        session.pause()
        save("mod.py", "value = 1\\ndef f():\\n    return 'new'\\n")
        assert sync().generation == 1
        assert "+    return 'new'" in session.diff(), session.diff()
        report = session.rollback(0)
        assert report.status == "applied", report
        assert mod.f() == 1
        assert sync().status == "unchanged"     # what was rolled back is pinned on disk
        save("mod.py", "value = 1\\ndef f():\\n    return 'newest'\\n")
        assert sync().status == "applied" and mod.f() == "newest"
        assert [report.status for report in session.history] == ["applied"] * 3
        """,
    )


def test_checkpoint(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        hotswap.watch(".", apply="checkpoint")
        save("mod.py", "value = 2\\ndef f():\\n    return value\\n")
        time.sleep(0.3)
        assert mod.f() == 1
        end = time.monotonic() + 20
        while hotswap.checkpoint() is None:
            assert time.monotonic() < end
            time.sleep(0.005)
        assert mod.f() == 2
        """,
    )
