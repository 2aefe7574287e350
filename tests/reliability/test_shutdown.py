"""The interpreter ends while an update is under way: at once or soon, with the exit code that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

# A new statement that keeps the update busy until the process is gone, in three ways.
BUSY = {
    "sleeps": "import time\ntime.sleep(600)\n",
    "computes": "while True:\n    pass\n",
    "waits for a lock": "import threading\nthreading.Lock().acquire()\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n",
}
BEGIN = """
import mod
session = hotswap.watch(".")
save("mod.py", MOD.format(2) + "open('begun', 'w').close()\\n" + {busy!r})
until(lambda: os.path.exists("begun"))
"""


@pytest.mark.parametrize(
    ("busy", "ending", "code"),
    [
        *((busy, "", 0) for busy in BUSY),
        ("computes", "sys.exit(3)", 3),
        ("computes", "1 / 0", 1),
        ("computes", "os._exit(5)", 5),
    ],
)
def test_main_ends_while_an_update_is_busy(
    busy: str, ending: str, code: int, drive: Callable[..., str]
) -> None:
    started = time.monotonic()
    out = drive(BEGIN.format(busy=BUSY[busy]) + ending, code=code, seconds=30)
    assert time.monotonic() - started < 20
    assert "Fatal" not in out


def test_exit_asked_for_by_a_new_statement_is_an_error_of_that_statement(drive: Callable[..., str]) -> None:
    drive(
        """
        import mod
        session = hotswap.watch(".")
        save("mod.py", MOD.format(2) + "raise SystemExit(9)\\n")
        until(lambda: session.history)
        assert session.history[-1].status == "rejected" and mod.f() == 1
        """
    )


@pytest.mark.parametrize("daemon", [True, False])
def test_threads_that_sync_while_the_interpreter_ends(daemon: bool, drive: Callable[..., str]) -> None:
    drive(
        f"""
        import mod
        hotswap.watch(".")
        def work():
            number = 2
            end = time.monotonic() + 0.7
            while time.monotonic() < end:
                number += 1
                save("mod.py", MOD.format(number))
                try:
                    hotswap.sync()
                except hotswap.NotWatchingError:
                    return
        for _ in range(3):
            threading.Thread(target=work, daemon={daemon}).start()
        time.sleep(0.2)
        """
    )


def test_exit_handlers_may_sync(drive: Callable[..., str]) -> None:
    out = drive(
        """
        import atexit, mod
        def last(name):
            save("mod.py", MOD.format(name))
            try:
                print(name, hotswap.sync().status, mod.f())
            except hotswap.HotswapError as error:
                print(name, type(error).__name__, mod.f())
        atexit.register(last, 5)      # runs after hotswap's own
        hotswap.watch(".")
        atexit.register(last, 6)      # runs before it
        """
    )
    assert out.splitlines() == ["6 applied 6", "5 NotWatchingError 6"]


def test_a_callback_that_waits_for_ever_does_not_keep_the_process(drive: Callable[..., str]) -> None:
    drive(
        """
        import mod
        begun = threading.Event()
        def stuck(report):
            begun.set()
            threading.Event().wait()
        hotswap.watch(".", on_update=stuck)
        save("mod.py", MOD.format(2))
        begun.wait(20)
        """
    )


def test_the_last_session_stops_in_the_middle_of_its_update(drive: Callable[..., str]) -> None:
    drive(
        """
        import mod
        session = hotswap.watch(".")
        session.pause()
        save("mod.py", MOD.format(2) + "import hotswap\\nhotswap.stop()\\n")
        report = session.sync()
        assert session.stopped and mod.f() == 2, report
        with hotswap.watch(".") as again:
            again.pause()
            save("mod.py", MOD.format(3))
            assert again.sync().status == "applied" and mod.f() == 3
        """
    )


def test_updates_go_on_while_main_has_ended_and_threads_run(drive: Callable[..., str]) -> None:
    out = drive(
        """
        import mod
        hotswap.watch(".")
        def work():
            # The interpreter waits for this thread, and exit handlers have not run yet.
            threading.main_thread().join()
            save("mod.py", MOD.format(2))
            until(lambda: mod.f() == 2)
            print("updated")
        threading.Thread(target=work).start()
        """
    )
    assert out == "updated\n"
