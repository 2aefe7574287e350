"""What an attachment says where it may not or cannot be: one test for each reason that can be made here."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from live import until
from processes import Attachment, Process

Start = Callable[..., Process]
Attach = Callable[..., Attachment]
SLEEPS = "import time\nprint('up')\ntime.sleep(1000)\n"
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
# Imported before the rights are dropped: others may not read where hotswap is installed.
AS_SOMEBODY_ELSE = """
import os, sys
import hotswap._attach, hotswap._hotswap
hotswap._attach._attach_parser().parse_args(sys.argv[1:])
os.setgroups([])
os.setgid({uid})
os.setuid({uid})
sys.exit(hotswap._attach.attach_command(sys.argv[1:]))
"""


def refused(attachment: Attachment, *words: str) -> None:
    said = attachment.ended()
    assert attachment.process.returncode == 1, said
    for word in words:
        assert word in said
    assert "Traceback" not in said


def attach_as(uid: int, target: Process, folder: Path) -> str:
    words = [sys.executable, "-c", AS_SOMEBODY_ELSE.format(uid=uid), str(target.pid)]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=60, env=os.environ.copy()
    )
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_no_such_process(attach: Attach) -> None:
    refused(attach(2**22 - 3), "there is no process 4194301", "hotswap ps")


def test_no_number(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hotswap", "attach", "program"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "invalid int value: 'program'" in done.stderr


def test_already_ended(attach: Attach) -> None:
    child = subprocess.Popen(["true"])
    until(lambda: Path(f"/proc/{child.pid}/status").read_text(), lambda text: "Z (zombie)" in text)
    refused(attach(child.pid), "already ended")
    child.wait()


def test_itself(tmp_path: Path) -> None:
    code = "import os, hotswap._attach as a; raise SystemExit(a.attach_command([str(os.getpid())]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "is this one; call hotswap.watch() in it" in done.stderr


def test_stopped_by_job_control(start: Start, attach: Attach) -> None:
    target = start(SLEEPS)
    target.process.send_signal(signal.SIGSTOP)
    until(lambda: Path(f"/proc/{target.pid}/status").read_text(), lambda text: "T (stopped)" in text)
    refused(attach(target), "is stopped", f"kill -CONT {target.pid}")
    target.process.send_signal(signal.SIGCONT)
    attach(target).event("watching")


def test_traced_by_somebody(start: Start, attach: Attach) -> None:
    target = start(SLEEPS)
    seize, detach = 0x4206, 17
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(seize, target.pid, None, None) == 0
    try:
        refused(attach(target), f"already traced by {os.getpid()}")
    finally:
        interrupt = 0x4207
        assert libc.ptrace(interrupt, target.pid, None, None) == 0
        os.waitpid(target.pid, 0x40000000)
        assert libc.ptrace(detach, target.pid, None, None) == 0


def test_no_python(attach: Attach) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    try:
        refused(attach(child.pid), "no CPython was found", "sleep")
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("variable", ["HOTSWAP_NO_ATTACH", "PYTHON_DISABLE_REMOTE_DEBUG"])
def test_the_program_was_started_with_a_no(variable: str, start: Start, attach: Attach) -> None:
    target = start(SLEEPS, **{variable: "1"})
    refused(attach(target), f"was started with {variable}, which forbids attaching")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the option is of 3.14")
def test_the_program_was_started_with_an_option_that_says_no(start: Start, attach: Attach) -> None:
    refused(attach(start(SLEEPS, "-X", "disable-remote-debug")), "started with remote debugging turned off")


def test_the_program_says_no_later(start: Start, attach: Attach) -> None:
    target = start("import os, time\nos.environ['HOTSWAP_NO_ATTACH'] = '1'\nprint('up')\ntime.sleep(1000)\n")
    descriptors = target.descriptors()
    refused(attach(target), "HOTSWAP_NO_ATTACH is set in its environment")
    until(target.descriptors, lambda now: now == descriptors)
    until(target.threads, lambda count: count == 1)


def test_an_audit_hook_says_no(start: Start, attach: Attach) -> None:
    target = start(
        """
import sys, time
def hook(event, arguments):
    if event == "hotswap.attach":
        print("asked by", *arguments)
        raise PermissionError("not in production")
sys.addaudithook(hook)
print("up")
time.sleep(1000)
"""
    )
    attachment = attach(target)
    said = attachment.ended()
    assert "PermissionError: not in production" in said
    assert attachment.process.returncode == 1
    assert target.line(lambda line: True) == f"asked by {attachment.pid} {os.getuid()}"


def test_hotswap_is_turned_off_there(start: Start, attach: Attach) -> None:
    refused(attach(start(SLEEPS, HOTSWAP="0")), "HOTSWAP=0 in its environment")


def test_a_setting_that_it_does_not_know(start: Start, attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.hotswap]\nstrategy = 'hope'\n")
    refused(attach(start(SLEEPS)), "pyproject.toml", "strategy = 'hope'", "expected one of patch, reload")


def test_a_path_that_is_not_there(start: Start, attach: Attach) -> None:
    refused(attach(start(SLEEPS), "--watch", "nowhere"), "no such path", "nowhere")


FILTER = """
import ctypes, struct, time
libc = ctypes.CDLL(None, use_errno=True)
instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))  # allow everything
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(instruction)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
print("up")
time.sleep(1000)
"""


def test_a_filter_for_system_calls(start: Start, attach: Attach) -> None:
    target = start(FILTER)
    refused(attach(target), "seccomp filter", "--despite-seccomp")
    attach(target, "--despite-seccomp").event("watching")


WITHOUT_PTRACE = """
import ctypes, struct, sys
import hotswap._attach, hotswap._hotswap
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 101), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *words) for words in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
sys.exit(hotswap._attach.attach_command(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there is another way from 3.14 on")
def test_a_filter_on_the_one_who_asks(start: Start, tmp_path: Path) -> None:
    target = start(SLEEPS)
    words = [sys.executable, "-c", WITHOUT_PTRACE, str(target.pid)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"a seccomp filter keeps this process from tracing {target.pid}" in done.stderr


@pytest.mark.skipif(sys.version_info < (3, 14), reason="PEP 768 is of 3.14")
def test_where_threads_may_not_be_stopped_the_interpreter_is_asked(start: Start, tmp_path: Path) -> None:
    target = start("import time\nprint('up')\nwhile True:\n    time.sleep(0.01)\n")
    words = [sys.executable, "-c", WITHOUT_PTRACE, str(target.pid), "--detach"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "the interpreter let hotswap in by itself" in done.stdout


IN_THE_C_LIBRARY = """
import ctypes
libc = ctypes.CDLL(None)
size = 200_000_000
buffer = ctypes.create_string_buffer(size)
print("up")
while True:
    libc.qsort(buffer, ctypes.c_size_t(size // 8), ctypes.c_size_t(8), libc.strcmp)
"""


def test_no_thread_in_a_safe_place(start: Start) -> None:
    target = start(IN_THE_C_LIBRARY)
    time.sleep(0.5)
    code = f"import hotswap._hotswap as h; h.attach({target.pid}, '', 0.4, False)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert f"no thread of process {target.pid} came to a safe place" in done.stderr
    assert "inside the C library" in done.stderr
    assert target.threads() == 1


@needs_root
def test_a_process_of_somebody_else(start: Start, tmp_path: Path) -> None:
    said = attach_as(NOBODY, start(SLEEPS), tmp_path)
    assert f"belongs to uid 0, and this is uid {NOBODY}: attach as that user, or as root" in said


@needs_root
def test_a_program_that_does_not_want_to_be_traced(start: Start, tmp_path: Path) -> None:
    # Who changes its user is not dumpable any more.
    target = start(f"import os, time\nos.setuid({NOBODY})\nprint('up')\ntime.sleep(1000)\n")
    assert "has asked not to be traced" in attach_as(NOBODY, target, tmp_path)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_root_without_the_capability(start: Start, tmp_path: Path) -> None:
    target = start(SLEEPS)
    words = [
        "setpriv",
        "--inh-caps=-sys_ptrace",
        "--bounding-set=-sys_ptrace",
        sys.executable,
        "-m",
        "hotswap",
    ]
    done = subprocess.run(
        [*words, "attach", str(target.pid)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "CAP_SYS_PTRACE is missing" in done.stderr
    assert "--cap-add=SYS_PTRACE" in done.stderr
