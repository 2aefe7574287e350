"""The threads of a host: which is the main thread, who is waited for at the end, and who is left behind."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from embed.hosts import Host, kinds

Start = Callable[..., Host]

WATCH = """\
import hotswap
import threading, time, plug, part
session = hotswap.watch(plug.HERE, on_update=lambda report: plug.say("plug:", report.status))
"""


@pytest.fixture(params=kinds())
def host(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_host")


def test_the_thread_that_imports_hotswap_first_is_not_the_main_thread(start: Start, host: str) -> None:
    running = start(
        host,
        WATCH
        + """
def work():
    time.sleep(0.3)
    plug.say("plug: thread ended")
threading.Thread(target=work, daemon=False).start()
main = threading.main_thread()
plug.say("plug: main thread", main.ident, main.name, main.is_alive(), threading.current_thread() is main)
plug.say("plug: threads", sorted(thread.name for thread in threading.enumerate()))
""",
    )
    ident = running.until("host: main thread").split()[-1]
    said = running.until("plug: main thread")
    assert said == f"plug: main thread {ident} MainThread True False"
    assert "'MainThread'" in running.until("plug: threads")
    running.save(2)
    running.until("plug: applied")
    running.say("end")
    out = running.ends_with()
    # The end of the interpreter waits for threads that are no daemons, and says nothing.
    assert out.splitlines()[-3:] == ["plug: thread ended", "host: finalised 0", "host: end"], out
    assert "Traceback" not in out and "Exception ignored" not in out


def test_a_thread_of_the_host_is_inside_python_while_it_ends(start: Start, c_host: str) -> None:
    running = start(c_host, WATCH + "plug.say('plug: watching')\nwhile True:\n    time.sleep(0.001)\n")
    running.until("plug: watching")
    running.save(2)
    running.until("plug: applied")
    running.say("abandon")
    assert running.ends_with().splitlines()[-2:] == ["host: finalised 0", "host: end"]


def test_the_host_ends_without_finalising(start: Start, host: str) -> None:
    running = start(host, WATCH + "plug.say('plug: watching')\n")
    running.until("plug: watching")
    running.save(2)
    running.until("plug: applied")
    running.say("leave")
    assert running.ends_with().splitlines()[-1] == "plug: applied"


@pytest.mark.parametrize("busy", ["time.sleep(600)", "while True: pass"])
def test_an_update_is_busy_while_python_ends(start: Start, c_host: str, busy: str) -> None:
    running = start(c_host, WATCH + "plug.say('plug: watching')\n")
    running.until("plug: watching")
    running.save(None, whole=f"import time, plug\nplug.say('plug: busy')\n{busy}\n")
    running.until("plug: busy")
    running.say("end")
    out = running.ends_with()
    assert out.splitlines()[-2:] == ["host: finalised 0", "host: end"] and "Fatal" not in out


def test_checkpoints_of_the_host_apply_what_has_been_waiting(start: Start, host: str) -> None:
    running = start(
        host,
        """
import hotswap, plug, part
session = hotswap.watch(plug.HERE, apply="checkpoint")
plug.say("plug: watching")
while not plug.ended.wait(0.002):
    report = hotswap.checkpoint()
    if report:
        plug.say("plug:", report.status, part.answer())
""",
    )
    running.until("plug: watching")
    running.save(2)
    running.until("plug: applied 2")
    running.say("end")
    running.ends_with()


@pytest.mark.skipif(not (3, 11) <= sys.version_info < (3, 15), reason="running calls move on 3.11 to 3.14")
def test_a_running_loop_moves_in_every_life_of_the_interpreter(start: Start, host: str) -> None:
    source = """\
import plug
calls = 0
def answer():
    last = None
    while not plug.ended.wait(0.002):
        if last != {0}:
            last = {0}
            plug.say("plug: loop", last)
"""
    running = start(
        host,
        "import hotswap, plug, part\nhotswap.watch(plug.HERE)\nplug.say('plug: watching')\npart.answer()\n",
    )
    # What the first life begins with has no loop; the next two stay in the loop that is there when they begin.
    running.until("plug: watching")
    running.save(None, whole=source.format(10))
    for _ in (2, 3):
        running.say("again")
        running.until("host: finalised 0")
        running.until("plug: loop 10")
        running.save(None, whole=source.format(11))
        running.until("plug: loop 11")
        running.save(None, whole=source.format(10))
        running.until("plug: loop 10")
    running.say("end")
    running.ends_with()
