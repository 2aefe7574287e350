"""Processes in whatever state an attachment may find them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from live import edit, until
from processes import PLAIN_PYTHON, Attachment, Process, clean_environment

Start = Callable[..., Process]
Attach = Callable[..., Attachment]
pytestmark = pytest.mark.slow

HEART = """
import threading, time
def heart():
    beats = 0
    while True:
        beats += 1
        print("beat", beats)
        time.sleep(0.05)
def beat():
    threading.Thread(target=heart, daemon=True).start()
"""
STATES = {
    "asleep": "import time\nprint('up')\ntime.sleep(1000)\n",
    "polling": """
import os, select
poll = select.epoll()
read, write = os.pipe()
poll.register(read)
print("up")
poll.poll()
print("a wake-up that nobody asked for")
""",
    "polling with a limit": """
import select, os, time
read, write = os.pipe()
print("up")
while True:
    begin = time.monotonic()
    assert select.select([read], [], [], 0.2) == ([], [], [])
    took = time.monotonic() - begin
    assert took > 0.19, took
""",
    "reading": "import os\nread, write = os.pipe()\nprint('up')\nos.read(read, 1)\n",
    "waiting for a lock": "import threading\nlock = threading.Lock()\nlock.acquire()\nprint('up')\nlock.acquire()\n",
    "computing": "print('up')\nn = 0\nwhile True:\n    n += 1\n",
    "computing without the GIL": "import hashlib\ndata = bytes(20_000_000)\nprint('up')\nwhile True:\n    hashlib.sha256(data).digest()\n",
    "in an import": """
import sys, types
open("slow.py", "w").write("import time\\nprint('up')\\ntime.sleep(1000)\\n")
sys.path.insert(0, ".")
import slow
""",
    "asyncio": """
import asyncio
async def main():
    print("up")
    while True:
        await asyncio.sleep(0.01)
asyncio.run(main())
""",
    "allocating in four threads": """
import threading
def allocate():
    while True:
        blocks = [bytearray(100 + i * 37 % 5000) for i in range(200)]
        del blocks
for _ in range(3):
    threading.Thread(target=allocate, daemon=True).start()
print("up")
allocate()
""",
    "with no other file than its program": "import os, time\nos.chdir('/')\nprint('up')\ntime.sleep(1000)\n",
}


@pytest.mark.parametrize("state", STATES)
def test_state(state: str, start: Start, attach: Attach) -> None:
    target = start(STATES[state])
    threads = target.threads()
    attachment = attach(target)
    attachment.event("watching")
    assert attachment.end() == 0
    until(target.threads, lambda count: count == threads)
    assert target.process.poll() is None
    assert target.lines.empty(), target.lines.get()


def test_the_gil_is_waited_for(start: Start, attach: Attach) -> None:
    target = start(
        "import ctypes, time\nprint('up')\nctypes.PyDLL(None).sleep(3)\nprint('on')\ntime.sleep(1000)\n"
    )
    attachment = attach(target)
    attachment.line(lambda line: f"waiting for the GIL of process {target.pid}" in line)
    target.line(lambda line: line == "on")
    attachment.event("watching")


def test_the_gil_does_not_come(start: Start, attach: Attach) -> None:
    target = start(
        "import ctypes, time\nprint('up')\nctypes.PyDLL(None).sleep(3)\nprint('on')\ntime.sleep(1000)\n"
    )
    descriptors = target.descriptors()
    attachment = attach(target, "--timeout", "1.2")
    assert "did not give its GIL away within 1.2 s" in attachment.ended()
    assert attachment.process.returncode == 1
    target.line(lambda line: line == "on")
    # The thread that waited for the GIL finds nobody at the other end, and is gone again.
    until(target.threads, lambda count: count == 1)
    until(target.descriptors, lambda now: now == descriptors)
    attach(target).event("watching")


def test_signals_are_the_programs(start: Start, attach: Attach) -> None:
    source = """
import os, signal, time
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
print("up")
for _ in range(1000):
    time.sleep(0.01)
    if seen:
        count = len(seen)
        seen.clear()
        print("signals", count)
"""
    target = start(source)
    attachment = attach(target)
    attachment.event("watching")
    for _ in range(3):
        os.kill(target.pid, signal.SIGUSR1)
        assert target.line(lambda line: line.startswith("signals")) == "signals 1"


@pytest.mark.skipif(
    subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True).returncode
    != 0
    if shutil.which("unshare")
    else True,
    reason="namespaces cannot be made here",
)
def test_in_namespaces_of_its_own(attach: Attach, processes: list[Process], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import os, time\ndef answer():\n    return 'old'\nwhile True:\n    print(os.getpid(), answer())\n    time.sleep(0.05)\n"
    )
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--net", "--ipc", "--uts"]
    outer = Process([*apart, PLAIN_PYTHON, "-u", "program.py"], tmp_path, clean_environment())
    processes.append(outer)
    assert outer.line(lambda line: line) == "1 old"
    pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0])
    attachment = attach(pid)
    attachment.event("watching")
    edit(tmp_path / "program.py", "'old'", "'new'")
    assert attachment.report()["status"] == "applied"
    outer.line(lambda line: line == "1 new")
    assert attachment.end() == 0
    os.kill(pid, signal.SIGKILL)


def test_just_started(start: Start, attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HEART + "beat()\ntime.sleep(1000)\n")
    target = Process([PLAIN_PYTHON, "-u", "program.py"], tmp_path, clean_environment())
    try:
        attach(target).event("watching")
        target.line(lambda line: line.startswith("beat"))
    finally:
        target.kill()
