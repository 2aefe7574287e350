"""hotswap in an interpreter that a C or Rust program embeds, whose first thread never runs Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from embed.hosts import PART, Host, kinds

Start = Callable[..., Host]
BROKEN = "def answer(:\n"


def three_edits_and_a_rejected_one(host: Host) -> None:
    host.until("plug: answer 1")
    for answer in (2, 3):
        host.save(answer)
        host.until(f"plug: answer {answer}$")
    host.save(None, whole=BROKEN)
    host.until("plug: rejected")
    host.save(4)
    host.until("plug: answer 4")


@pytest.fixture(params=kinds())
def host(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_host")


def test_three_edits_and_a_rejected_one_reach_the_plug_in(start: Start, host: str) -> None:
    running = start(host)
    three_edits_and_a_rejected_one(running)
    running.say("end")
    running.until("plug: ended after True")
    assert "host: finalised 0" in running.ends_with()


BARE = """\
import sys
del sys.argv, sys.executable, sys.modules["__main__"]
sys.stdin = sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None
import plug
plug.run()
"""


def test_no_word_of_a_command_line_is_needed(start: Start, host: str) -> None:
    running = start(host, BARE)
    three_edits_and_a_rejected_one(running)
    running.say("end")
    running.until("plug: ended after True")
    assert "host: finalised 0" in running.ends_with()


def test_monitor_dir_blocks_in_a_thread_of_the_host(start: Start, host: str) -> None:
    running = start(host, "import plug; plug.monitor()")
    running.until("plug: answer 1")
    running.save(2)
    running.until("plug: answer 2")
    running.say("end")
    running.until("plug: ended")
    assert "host: finalised 0" in running.ends_with()


def test_python_is_initialised_again_and_edits_arrive_again(start: Start, host: str) -> None:
    running = start(host)
    three_edits_and_a_rejected_one(running)
    for life in (2, 3):
        running.say("again")
        running.until("plug: ended after True")
        running.until("host: finalised 0")
        running.until(f"host: life {life}")
        running.until("plug: answer 4")
        running.save(5)
        running.until("plug: answer 5")
        running.save(None, whole=PART.format(6) + "1 / 0\n")
        running.until("plug: rejected")
        running.save(4)
        running.until("plug: answer 4")
    running.say("end")
    running.ends_with()


def test_a_session_that_nobody_stopped_ends_with_the_interpreter(start: Start, host: str) -> None:
    begin = "import hotswap, plug, part\nhotswap.watch(plug.HERE, on_update=lambda report: plug.say('plug:', report.status))\nplug.say('plug: watching')"
    running = start(host, begin)
    running.until("plug: watching")
    running.save(2)
    running.until("plug: applied")
    running.say("again")
    running.until("plug: watching")
    running.save(3)
    running.until("plug: applied")
    running.say("end")
    assert running.ends_with().count("host: finalised 0") == 2
