"""What the disk, the clock and other programs do to the watched files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

Drive = Callable[..., str]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@POSIX
def test_a_file_that_cannot_be_read_is_named_and_taken_when_it_can(drive: Drive) -> None:
    # A directory in the place of the file cannot be read by anybody, not even root.
    drive(
        """
        import mod
        hotswap.watch(".").pause()
        os.rename("mod.py", "away.txt")
        os.mkdir("mod.py")
        report = hotswap.sync()
        assert mod.f() == 1 and any("mod.py" in note for note in report.notes), report.to_dict()
        os.rmdir("mod.py")
        save("mod.py", MOD.format(2))
        assert hotswap.sync().status == "applied" and mod.f() == 2
        """
    )


@POSIX
def test_a_save_that_the_full_disk_cuts_short(drive: Drive) -> None:
    # A limit on the size of files does what a full disk does: a write ends early, the next one fails.
    drive(
        """
        import mod, resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        session = hotswap.watch(".")
        save("mod.py", "value = 1\\ndef f():\\n    return 1\\n")
        whole = b"value = 2\\ndef f():\\n    table = [\\n" + b"        1,\\n" * 400 + b"    ]\\n    return sum(table) - 398\\n"
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        out = os.open("mod.py", os.O_WRONLY | os.O_TRUNC)
        try:
            written = os.write(out, whole)
            assert written == 1000
            try:
                os.write(out, whole[written:])
            except OSError:
                pass
        finally:
            os.close(out)
        until(lambda: session.history and session.history[-1].status == "rejected")
        assert mod.f() == 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with open("mod.py", "wb") as file:
            file.write(whole)
        until(lambda: mod.f() == 2)
        """
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_under_the_log_does_not_stop_updates(drive: Drive) -> None:
    drive(
        """
        import logging, mod
        # Logging tells of its own failures on stderr, which is full as well.
        full = open("/dev/full", "w", buffering=1)
        sys.stderr, error = full, sys.stderr
        logging.basicConfig(stream=full, level=logging.DEBUG)
        session = hotswap.watch(".")
        for number in range(2, 6):
            save("mod.py", MOD.format(number))
            until(lambda: mod.f() == number)
        save("mod.py", "def (:")
        until(lambda: session.history[-1].status == "rejected")
        sys.stderr = error
        logging.getLogger().handlers.clear()
        os._exit(0)
        """
    )


@pytest.mark.slow
def test_files_that_change_while_they_are_read(drive: Drive) -> None:
    # Written in place, piece by piece and without end, in the middle of every look at them.
    drive(
        """
        import mod
        session = hotswap.watch(".")
        stopping = threading.Event()
        text = "value = {0}\\ndef f():\\n    return {0}\\n" + "# filler\\n" * 3000 + "last = {0}\\n"
        def write():
            number = 1
            while not stopping.is_set():
                number += 1
                with open("mod.py", "w", buffering=512) as file:
                    file.write(text.format(number))
            done.append(number)
        done = []
        writer = threading.Thread(target=write)
        writer.start()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            hotswap.sync()
            assert mod.f() == mod.value
        stopping.set()
        writer.join()
        until(lambda: hotswap.sync() and mod.f() == mod.value == mod.last == done[0])
        """
    )


@pytest.mark.slow
@pytest.mark.parametrize("when", [0, 1_000_000_000, 1_800_000_000, 4_000_000_000])
def test_clocks_that_step(when: int, drive: Drive) -> None:
    drive(
        f"""
        import mod
        session = hotswap.watch(".")
        for number in range(2, 6):
            # Another content of the same length, with a time in the past, the future, or always the same.
            save("mod.py", MOD.format(number))
            os.utime("mod.py", ({when}, {when}))
            until(lambda: mod.f() == number)
        session.pause()
        for number in range(6, 9):
            with open("mod.py", "r+") as file:
                file.write(MOD.format(number))
            os.utime("mod.py", ns=({when} * 10**9, {when} * 10**9))
            hotswap.sync()
            assert mod.f() == number
        """
    )


@pytest.mark.slow
@pytest.mark.parametrize("background", [True, False])
def test_a_checkout_of_500_files_is_one_update(background: bool, drive: Drive) -> None:
    drive(
        f"""
        os.mkdir("pkg")
        save("pkg/__init__.py", "")
        count = 500
        def checkout(number):
            for at in range(count):
                last = f"from pkg.m{{at - 1}} import value as before\\n" if at % 10 else ""
                save(f"pkg/m{{at}}.py", last + MOD.format(number))
        checkout(1)
        modules = [__import__(f"pkg.m{{at}}", fromlist=["f"]) for at in range(count)]
        session = hotswap.watch(".")
        session.pause()
        checkout(2)
        if {background}:
            session.resume()
            until(lambda: session.history, 50)
            report = session.history[0]
        else:
            report = hotswap.sync()
        assert report.status == "applied" and len(report.files) == count, (report.status, len(report.files))
        assert {{module.f() for module in modules}} == {{2}}
        assert {{module.before for module in modules if hasattr(module, "before")}} == {{2}}
        assert session.generation == 1
        """,
        seconds=100,
    )


def test_a_root_that_is_removed_and_made_again(drive: Drive) -> None:
    drive(
        """
        import shutil
        os.mkdir("src")
        save("src/inner.py", MOD.format(1))
        sys.path.insert(0, os.path.abspath("src"))
        import inner
        session = hotswap.watch("src")
        held = inner.f
        for number in range(2, 5):
            shutil.rmtree("src")
            time.sleep(0.05)
            os.mkdir("src")
            save("src/inner.py", MOD.format(number))
            until(lambda: held() == number)
        """
    )


def test_swap_files_of_editors_are_nothing(drive: Drive) -> None:
    drive(
        """
        import mod
        session = hotswap.watch(".")
        for name in (".mod.py.swp", ".mod.py.swo", "mod.py~", "#mod.py#", "mod.py.bak", "4913", ".goutputstream-XYZ", "mod.py.tmp", ".mod.py.un~"):
            with open(name, "wb") as file:
                file.write(b"b0VIM 9.0\\0\\0 def (")
        try:
            os.symlink("user@host.1234:567", ".#mod.py")       # what Emacs locks with
        except OSError:
            pass
        save("mod.py", MOD.format(2))
        until(lambda: mod.f() == 2)
        report = hotswap.sync()
        assert [report.status for report in session.history] == ["applied"], session.history
        assert {os.path.basename(file) for file in session.history[0].files} == {"mod.py"}
        """
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_names_that_are_not_utf8(drive: Drive) -> None:
    drive(
        r"""
        here = os.fsencode(os.getcwd())
        folder = os.path.join(here, b"caf\xe9")
        os.mkdir(folder)
        def put(folder, name, text):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        put(folder, b"inner.py", MOD.format(1))
        put(here, b"na\xefve.py", "value = 1\n")               # not importable by that name
        import mod
        sys.path.insert(0, os.fsdecode(folder))
        import inner
        session = hotswap.watch(".")
        assert session.status()["files"]
        save("mod.py", MOD.format(2))
        until(lambda: mod.f() == 2)
        put(here, b"na\xefve.py", "value = 2\n")
        put(folder, b"inner.py", MOD.format(3))
        report = hotswap.sync()
        str(report), report.to_dict()
        # A module below such a folder is left alone, and said to be.
        assert inner.f() == 1 and "not Unicode" in session.status()["uncovered"]["inner"]
        """
    )


def test_a_root_that_is_gone_does_not_stop_another_watch(drive: Drive) -> None:
    drive(
        """
        import shutil
        for name in "abcd":
            os.mkdir(name)
            save(f"{name}/in_{name}.py", MOD.format(1))
            sys.path.insert(0, os.path.abspath(name))
        import in_a, in_b, in_c, in_d
        stays = hotswap.watch("a")
        hotswap.watch("b").stop()
        open_all_the_time = hotswap.watch("c")
        shutil.rmtree("b")
        shutil.rmtree("c")
        hotswap.watch("d")
        save("d/in_d.py", MOD.format(2))
        until(lambda: in_d.f() == 2)
        os.mkdir("c")
        save("c/in_c.py", MOD.format(2))
        until(lambda: in_c.f() == 2)
        """
    )


def test_an_edit_right_after_the_import_is_not_taken_for_what_was_imported(drive: Drive) -> None:
    # The cached code names the second and the size of its source, which an edit need not change.
    drive(
        """
sys.dont_write_bytecode = False
session = hotswap.watch()
for number in range(40):
    name = f"late_{number}"
    save(name + ".py", "def f():\\n    return 1\\n")
    module = __import__(name)
    time.sleep(number % 8 * 0.002)
    save(name + ".py", "def f():\\n    return 2\\n")
    until(lambda: module.f() == 2, 10)
"""
    )
