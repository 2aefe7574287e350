"""Under `consistency="quiescent"` threads are kept out of code that is about to change, unseen and never for long."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)
PATIENCE = 20.0

PAIR = """\
import sys, threading

def callee(a{more}):
    return a

def caller():
    return callee(1{one})

{rest}
"""


class Program:
    """A module that is watched, with threads that call it without a pause."""

    def __init__(self, folder: Path, rest: str = "", seconds: float = 1.0) -> None:
        self.rest = textwrap.dedent(rest)
        self.name = f"gated_{next(_numbers)}"
        self.file = folder / f"{self.name}.py"
        self.file.write_text(self.source(0))
        self.session = hotswap.watch(folder, consistency="quiescent", quiescence_timeout=seconds)
        self.session.pause()
        self.module: Any = __import__(self.name)
        hotswap.sync()
        self.stop = threading.Event()
        self.errors: list[str] = []
        self.threads: list[threading.Thread] = []

    def source(self, number: int) -> str:
        more = {"more": ", b", "one": ", 2"} if number % 2 else {"more": "", "one": ""}
        return PAIR.format(rest=self.rest.replace("NUMBER", str(number)), **more)

    def update(self, number: int) -> hotswap.Report:
        self.file.write_text(self.source(number))
        return hotswap.sync()

    def call(self, name: str, times: int = 1) -> None:
        function = getattr(self.module, name)

        def loop() -> None:
            while not self.stop.is_set():
                try:
                    function()
                except BaseException as error:
                    self.errors.append(repr(error))
                    return

        for _ in range(times):
            self.threads.append(threading.Thread(target=loop, daemon=True))
            self.threads[-1].start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a thread did not come back"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    interval = sys.getswitchinterval()
    yield tmp_path
    sys.setswitchinterval(interval)


@pytest.fixture
def run(folder: Path) -> Iterator[Any]:
    programs: list[Program] = []

    def start(rest: str = "", seconds: float = 1.0) -> Program:
        programs.append(Program(folder, rest, seconds))
        return programs[-1]

    yield start
    for program in programs:
        program.end()
        program.session.stop()
        sys.modules.pop(program.name, None)


@pytest.mark.parametrize("interval", [1e-6, 0.005])
def test_a_quiet_moment_is_found_among_threads_that_never_rest(run: Any, interval: float) -> None:
    # Longer than is needed where the machine has nothing else to do.
    program = run(seconds=10.0)
    sys.setswitchinterval(interval)
    # Looked for without a gate, a moment at which all are out would come once in thousands of looks.
    program.call("caller", 12)
    reports = [program.update(number) for number in range(1, 11)]
    assert [report.status for report in reports] == ["applied"] * 10, [str(report) for report in reports]
    program.end()
    assert not program.errors
    assert program.module.caller() == 1


def test_a_call_that_waits_sees_its_caller_as_ever(run: Any) -> None:
    program = run(
        """\
        seen = set()

        def look():
            frame = sys._getframe(1)
            seen.add((frame.f_code.co_name, frame.f_back.f_code.co_name, look.__name__, NUMBER < 0))

        def through():
            look()
        """,
        seconds=10.0,
    )
    sys.setswitchinterval(1e-6)
    program.call("through", 6)
    program.call("caller", 6)
    for number in range(1, 6):
        assert program.update(number).status == "applied"
    program.end()
    assert not program.errors
    assert program.module.seen == {("through", "loop", "look", False)}


def test_deep_recursion_through_functions_that_change(run: Any) -> None:
    program = run(
        """\
        def down(n):
            return n and down(n - 1) + (NUMBER - NUMBER)

        def deep():
            assert down(600) == 0
        """
    )
    sys.setswitchinterval(1e-6)
    program.call("deep", 4)
    program.call("caller", 8)
    reports = [program.update(number) for number in range(1, 6)]
    program.end()
    assert not program.errors
    assert {report.status for report in reports} <= {"applied", "held"}, [str(report) for report in reports]


def test_thread_before_the_gate_holds_the_lock_that_one_inside_waits_for(run: Any) -> None:
    program = run(
        """\
        lock = threading.Lock()
        longest = [0.0]

        def inside():
            for _ in range(50):
                with lock:
                    pass
            return NUMBER

        def entered():
            return NUMBER
        """
    )
    module = program.module
    longest = [0.0]

    def hold() -> None:
        entered = module.entered
        while not program.stop.is_set():
            with module.lock:
                began = time.perf_counter()
                entered()
                longest[0] = max(longest[0], time.perf_counter() - began)

    program.threads.append(threading.Thread(target=hold, daemon=True))
    program.threads[-1].start()
    program.call("inside", 3)
    began = time.perf_counter()
    reports = [program.update(number) for number in range(1, 5)]
    assert time.perf_counter() - began < PATIENCE
    program.end()
    assert not program.errors
    assert {report.status for report in reports} <= {"applied", "held"}, [str(report) for report in reports]
    assert longest[0] < 2, "the gate stayed closed"


def test_call_that_stays_inside_does_not_stop_the_others(run: Any) -> None:
    program = run(
        """\
        leave = threading.Event()

        def stay():
            leave.wait(30)
            return NUMBER
        """
    )
    inside = threading.Thread(target=program.module.stay, daemon=True)
    inside.start()
    counted = itertools.count()
    program.call("caller", 2)
    caller = program.module.caller
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            caller()
            next(counted)

    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    report = program.update(2)
    stop.set()
    counter.join(PATIENCE)
    calls = next(counted)
    program.module.leave.set()
    inside.join(PATIENCE)
    assert report.status == "held", str(report)
    assert any(pending.qualname == "stay" for pending in report.pending), report.pending
    assert calls > 100
    assert not program.errors
    assert hotswap.sync().status == "applied"


def test_functions_are_as_before_after_the_gate(run: Any) -> None:
    program = run("def stay(event):\n    event.wait(30)\n    return NUMBER\n")
    event = threading.Event()
    inside = threading.Thread(target=program.module.stay, args=(event,), daemon=True)
    inside.start()
    program.call("caller", 8)
    assert program.update(2).status == "held"
    event.set()
    inside.join(PATIENCE)
    program.end()
    module = program.module
    assert (module.caller(), module.callee(3), module.callee(a=4)) == (1, 3, 4)
    with pytest.raises(TypeError, match="callee"):
        module.callee()


EXITS = """\
import os, sys, threading, time
import hotswap

sys.path.insert(0, {folder!r})
hotswap.watch({folder!r}, consistency="quiescent").pause()
import module
hotswap.sync()
stop = False
sys.setswitchinterval(1e-6)


def loop():
    while not stop:
        module.caller()


def forever():
    module.comes_in(lambda: stop)
    module.stays()


for target in [loop] * 8 + [forever] * 4:
    threading.Thread(target=target, daemon=True).start()
text = open(module.__file__).read()
for number in range(8):
    text = text.replace("+ %d" % number, "+ %d" % (number + 1))
    open(module.__file__, "w").write(text)
    report = hotswap.sync()
    assert report.status in ("applied", "held"), report
    if hasattr(os, "fork") and number % 3 == 0:
        child = os.fork()
        if child == 0:
            assert module.caller() in range(20)
            os._exit(7)
        assert os.waitpid(child, 0)[1] >> 8 == 7
print("end", flush=True)
{ending}
"""

MODULE = """\
import time

def caller():
    return callee(1)

def callee(a):
    return a + 0

def comes_in(over):
    return 1 + 0

def stays():
    while True:
        callee(1)
        time.sleep(0)
"""


@pytest.mark.parametrize("ending", ["", "import os; os._exit(0)", "sys.exit(0)"])
def test_process_forks_and_ends_while_threads_are_before_and_behind_the_gate(
    tmp_path: Path, ending: str
) -> None:
    (tmp_path / "module.py").write_text(MODULE)
    program = tmp_path / "main.py"
    program.write_text(EXITS.format(folder=str(tmp_path), ending=ending))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stdout + done.stderr
