"""Input that is not what it should be: the program goes on, the report says why, the next save is taken."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """\
import os, sys, time
import hotswap
sys.path.insert(0, os.getcwd())

def save(name, content):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())

sync = hotswap.sync

save("mod.py", "value = 1\\ndef f():\\n    return value\\n")
"""


def drive(folder: Path, code: str, seconds: float = 60) -> str:
    """Run this in a fresh interpreter, after the prelude; it must end well. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"value = '\xe9'\n", "SyntaxError"),
        (b"# coding: nonsense\nvalue = 2\n", "SyntaxError"),
        (b"value = 2\0\n", "SyntaxError"),
        (b"value = (\n", "SyntaxError"),
        (b"value = missing\n", "NameError"),
        (b"import no_such_module_anywhere\n", "ModuleNotFoundError"),
        (b"value = 2\n1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_file_that_cannot_be_taken(content: bytes, error: str, tmp_path: Path) -> None:
    out = drive(
        tmp_path,
        f"""
        import mod
        held = mod.f
        hotswap.watch(".").pause()
        save("mod.py", {content!r})
        report = sync()
        assert report.status == "rejected", report
        assert report.error.type in ({error!r}, "UnicodeDecodeError"), report.error
        assert os.path.basename(report.error.file) == "mod.py", report.error
        assert (mod.value, held()) == (1, 1)
        save("mod.py", "value = 22\\ndef f():\\n    return value + 1\\n")
        report = sync()
        assert report.status == "applied", report
        assert (mod.value, held()) == (22, 23)
        print("mended")
        """,
    )
    assert out == "mended\n"


def test_empty_for_a_moment(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        session = hotswap.watch(".")
        save("mod.py", b"")
        time.sleep(0.03)
        assert mod.f() == 1
        save("mod.py", "value = 3\\ndef f():\\n    return value\\n")
        end = time.monotonic() + 20
        while mod.f() != 3:
            assert time.monotonic() < end, session.history
            time.sleep(0.005)
        assert {report.status for report in session.history} <= {"applied", "held"}, session.history
        """,
    )


def test_emptied_for_good_is_held(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        hotswap.watch(".").pause()
        save("mod.py", b"")
        assert sync().status == "held"
        assert mod.f() == 1
        save("mod.py", "value = 4\\ndef f():\\n    return value\\n")
        assert sync().status == "applied"
        assert mod.f() == 4
        """,
    )


def test_touch_is_nothing(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        hotswap.watch(".").pause()
        os.utime("mod.py")
        assert sync().status == "unchanged"
        """,
    )


def test_directory_removed_under_the_watcher(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import shutil
        os.makedirs("pkg")
        save("pkg/__init__.py", "")
        save("pkg/inner.py", "value = 1\\n")
        import mod, pkg.inner
        session = hotswap.watch(".")
        shutil.rmtree("pkg")
        hotswap.sync()
        save("mod.py", "value = 5\\ndef f():\\n    return value\\n")
        hotswap.sync()
        assert mod.f() == 5
        os.makedirs("pkg")
        save("pkg/__init__.py", "")
        save("pkg/inner.py", "value = 2\\n")
        hotswap.sync()
        import importlib
        importlib.invalidate_caches()
        import pkg.inner
        assert sys.modules["pkg.inner"].value == 2
        """,
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission_to_read(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        hotswap.watch(".").pause()
        save("mod.py", "value = 6\\n")
        os.chmod("mod.py", 0)
        report = sync()
        assert report.status in ("rejected", "held"), report
        assert "ermission" in str(report), report
        os.chmod("mod.py", 0o644)
        assert sync().status == "applied"
        """,
    )


def test_modules_without_source_are_named(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import py_compile, zipfile
        save("compiled.py", "value = 1\\n")
        py_compile.compile("compiled.py", "compiled.pyc")
        os.remove("compiled.py")
        with zipfile.ZipFile("bundle.zip", "w") as bundle:
            bundle.writestr("zipped.py", "value = 1\\n")
        sys.path.insert(0, "bundle.zip")
        import mod, compiled, zipped
        session = hotswap.watch(".")
        status = repr(session.status())
        assert "compiled" in status and "zipped" in status, status
        """,
    )


def test_overlapping_roots(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        os.makedirs("a/b")
        first = hotswap.watch("a")
        second = hotswap.watch(".")
        third = hotswap.watch("a/b")
        save("mod.py", "value = 7\\ndef f():\\n    return value\\n")
        report = hotswap.sync()
        assert report.status == "applied" and len(report.groups) == 1, report
        assert mod.f() == 7
        first.stop(); third.stop()
        save("mod.py", "value = 8\\ndef f():\\n    return value\\n")
        assert second.sync().status == "applied" and mod.f() == 8
        second.stop()
        """,
    )


def test_sync_from_code_that_an_update_runs(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import mod
        hotswap.watch(".").pause()
        save("mod.py", "import hotswap\\ninner = hotswap.sync()\\nvalue = 9\\ndef f():\\n    return value\\n")
        report = sync()
        assert report.status == "applied", report
        assert mod.f() == 9
        assert mod.inner.status == "unchanged" and "in progress" in str(mod.inner), mod.inner
        """,
    )


def test_own_reload_in_between(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        import importlib, mod
        hotswap.watch(".").pause()
        save("mod.py", "value = 10\\ndef f():\\n    return value\\n")
        importlib.reload(mod)
        assert sync().status in ("applied", "unchanged")
        assert mod.f() == 10
        save("mod.py", "value = 11\\ndef f():\\n    return value\\n")
        os.utime("mod.py", (2e9, 2e9))
        assert sync().status == "applied"
        assert mod.f() == 11
        """,
    )


def test_module_with_rewritten_assertions(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            """
            import os, sys
            import hotswap

            def answer():
                return 1

            def check():
                assert answer() == 42

            def test_reload():
                hotswap.watch(os.path.dirname(__file__)).pause()
                text = open(__file__).read()
                with open(__file__, "w") as file:
                    file.write(text.replace("== 4" + "2", "== 4" + "3"))
                assert hotswap.sync().status == "applied"
                try:
                    check()
                except AssertionError as error:
                    assert "assert 1 == 4" + "3" in str(error), str(error)
                else:
                    raise RuntimeError("no error")
                hotswap.stop()
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_turned_off(tmp_path: Path) -> None:
    drive(
        tmp_path,
        """
        os.environ["HOTSWAP"] = "0"
        import mod
        with hotswap.watch("nowhere") as session:
            save("mod.py", "value = 12\\n")
            assert hotswap.sync().status == "unchanged"
        assert mod.f() == 1
        assert "hotswap._hotswap" not in sys.modules
        """,
    )
