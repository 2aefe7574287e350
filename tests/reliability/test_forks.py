"""Forks at any moment: the child and the parent both go on, and both take edits."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

Drive = Callable[..., str]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")

FORK = """
def child(act):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid

def ended(pid):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        got, status = os.waitpid(pid, os.WNOHANG)
        if got:
            return status
        time.sleep(0.005)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")
"""


def test_a_fork_waits_for_an_update_that_is_about_to_log(drive: Drive) -> None:
    out = drive(
        FORK
        + """
import mod
from hotswap import _loop
# The first to be registered is the last to be asked before a fork.
os.register_at_fork(before=lambda: print("busy", _loop.current._busy))
hotswap.watch(".")
import logging
save("mod.py", MOD.format(2))
until(lambda: mod.f() == 2)
for number in range(3, 6):
    save("mod.py", MOD.format(number) + "import time\\nopen('begun{0}', 'w').close()\\ntime.sleep(0.1{0})\\n".format(number))
    until(lambda: os.path.exists(f"begun{number}"))
    assert ended(child(lambda: None)) == 0
    assert mod.f() == number
"""
    )
    assert out == "busy {}\n" * 3


def test_fork_while_another_thread_is_in_the_middle_of_an_update(drive: Drive) -> None:
    drive(
        FORK
        + """
import mod
hotswap.watch(".")
save("mod.py", MOD.format(2) + "import time\\nopen('begun', 'w').close()\\ntime.sleep(1.5)\\n")
until(lambda: os.path.exists("begun"))
def act():
    # The half of the update that the parent's thread has made is not here: all or nothing.
    assert mod.f() in (1, 2)
    save("mod2.py", MOD.format(7))
    import mod2
    hotswap.sync()
    save("mod2.py", MOD.format(8))
    hotswap.sync()
    assert mod2.f() == 8
assert ended(child(act)) == 0
until(lambda: mod.f() == 2)
save("mod.py", MOD.format(3))
until(lambda: mod.f() == 3)
"""
    )


def test_forks_at_random_moments_of_many_updates(drive: Drive) -> None:
    drive(
        FORK
        + """
import mod, random
session = hotswap.watch(".")
stopping = threading.Event()
def edit():
    number = 1
    while not stopping.is_set():
        number += 1
        save("mod.py", MOD.format(number))
        time.sleep(0.001)
editor = threading.Thread(target=edit)
editor.start()
def act():
    seen = mod.f()
    until(lambda: mod.f() > seen)
pids = []
for _ in range(12):
    time.sleep(random.random() * 0.01)
    pids.append(child(act))
codes = [ended(pid) for pid in pids]
stopping.set()
editor.join()
assert codes == [0] * 12, codes
hotswap.sync()
"""
    )


def test_a_child_that_forks_at_once_watches_as_well(drive: Drive) -> None:
    # The way of daemons.
    drive(
        FORK
        + """
import mod
hotswap.watch(".")
def grandchild():
    open("there", "w").close()
    until(lambda: mod.f() == 2)
    started, used = time.monotonic(), time.process_time()
    time.sleep(0.3)
    assert time.process_time() - used < 0.2, "it does not wait, it runs"
    open("heard", "w").close()
def act():
    assert ended(child(grandchild)) == 0
pid = child(act)
until(lambda: os.path.exists("there"))
save("mod.py", MOD.format(2))
until(lambda: os.path.exists("heard"))
assert ended(pid) == 0
"""
    )


def test_a_child_that_is_forked_in_the_middle_of_an_update_takes_the_edit(drive: Drive) -> None:
    # The same size and second as what was imported: the file alone does not say that it is newer.
    drive(
        FORK
        + """
import mod
hotswap.watch(".")
new = MOD.format(2) + "import hold\\n"
save("hold.py", "import time\\nopen('begun', 'w').close()\\ntime.sleep(1.5)\\n")
save("mod.py", new)
until(lambda: os.path.exists("begun"))
def act():
    assert mod.f() == 1
    until(lambda: mod.f() == 2)
    save("mod.py", MOD.format(3))
    until(lambda: mod.f() == 3)
assert ended(child(act)) == 0
"""
    )


def test_fork_from_a_new_statement_and_from_a_callback(drive: Drive) -> None:
    drive(
        """
        import mod
        statement = "import os\\npid = os.fork()\\nif pid == 0:\\n    os._exit(0)\\nos.waitpid(pid, 0)\\n"
        pids = []
        def forks(report):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            pids.append(os.waitpid(pid, 0)[1])
        session = hotswap.watch(".", on_update=forks)
        session.pause()
        save("mod.py", MOD.format(2) + statement)
        assert hotswap.sync().status == "applied" and mod.f() == 2
        save("mod.py", MOD.format(3))
        assert hotswap.sync().status == "applied" and mod.f() == 3
        assert pids == [0, 0]
        """
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes_beside_updates(method: str, drive: Drive) -> None:
    drive(
        f"""
        import multiprocessing, mod
        def work(number):
            return number + mod.f() - mod.f()
        if __name__ == "__main__":
            hotswap.watch(".")
            context = multiprocessing.get_context("{method}")
            with context.Pool(2) as pool:
                for number in range(2, 8):
                    save("mod.py", MOD.format(number))
                    assert pool.map(work, range(5)) == list(range(5))
                    until(lambda: mod.f() == number)
        """
    )


def test_a_child_of_a_program_that_watches_every_imported_module(drive: Drive) -> None:
    drive(
        FORK
        + """
import mod
hotswap.watch()
save("mod.py", MOD.format(2))
until(lambda: mod.f() == 2)
def act():
    time.sleep(0.3)
    save("mod.py", MOD.format(3))
    until(lambda: mod.f() == 3)
assert ended(child(act)) == 0
until(lambda: mod.f() == 3)
"""
    )


def test_a_folder_and_then_every_imported_module(drive: Drive) -> None:
    drive(
        """
import mod
hotswap.watch(".")
session = hotswap.watch()
save("mod.py", MOD.format(2))
until(lambda: mod.f() == 2)
session.stop()
save("mod.py", MOD.format(3))
until(lambda: mod.f() == 3)
"""
    )
