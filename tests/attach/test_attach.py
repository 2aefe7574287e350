"""`hotswap attach`: what happens in a process that knows nothing of hotswap, from the first line to the last."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from live import edit, until
from processes import Attachment, Process

Start = Callable[..., Process]
Attach = Callable[..., Attachment]

ANSWERS = """
import time
calls = 0
def answer():
    return "old"
def main():
    global calls
    while True:
        calls += 1
        print(calls, answer())
        time.sleep(0.02)
print("up")
if __name__ == "__main__":
    main()
"""


def said(process: Process, word: str) -> str:
    return process.line(lambda line: line.endswith(word))


def test_an_edit_is_live_and_the_state_is_kept(start: Start, attach: Attach, tmp_path: Path) -> None:
    target = start(ANSWERS)
    attachment = attach(target)
    event = attachment.event("watching")
    assert event["pid"] == target.pid
    assert event["python"] == "{}.{}.{}".format(*sys.version_info[:3])
    assert not event["already"]
    before = int(said(target, "old").split()[0])
    edit(tmp_path / "program.py", '"old"', '"new"')
    report = attachment.report()
    assert report["status"] == "applied"
    assert [change["qualname"] for change in report["changes"]] == ["answer"]
    assert int(said(target, "new").split()[0]) > before


def test_a_file_that_is_broken_is_told_and_the_program_runs_on(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    target = start(ANSWERS)
    attachment = attach(target)
    attachment.event("watching")
    edit(tmp_path / "program.py", "def answer():", "def answer(:")
    report = attachment.report()
    assert report["status"] == "rejected"
    assert report["error"]["type"] == "SyntaxError"
    assert target.newest().endswith("old")


def test_nothing_of_ours_stays_but_the_code(start: Start, attach: Attach, tmp_path: Path) -> None:
    target = start(ANSWERS)
    threads, descriptors = target.threads(), target.descriptors()
    attachment = attach(target)
    attachment.event("watching")
    edit(tmp_path / "program.py", '"old"', '"new"')
    said(target, "new")
    assert target.threads() > threads
    assert attachment.end() == 0
    assert (
        '"event": "ended"' in attachment.ended() or "has ended; the code it has stays" in attachment.ended()
    )
    until(target.threads, lambda count: count == threads)
    until(target.descriptors, lambda now: now == descriptors)
    edit(tmp_path / "program.py", '"new"', '"newer"')
    for _ in range(10):
        assert target.newest().endswith("new")


def test_the_next_attachment_uses_what_is_there(start: Start, attach: Attach, tmp_path: Path) -> None:
    target = start(ANSWERS)
    threads, mappings = target.threads(), []
    for number in range(7):
        attachment = attach(target)
        attachment.event("watching")
        old, new = ('"old"', '"0"') if number == 0 else (f'"{number - 1}"', f'"{number}"')
        edit(tmp_path / "program.py", old, new)
        said(target, f" {number}")
        assert attachment.end() == 0
        until(target.threads, lambda count: count == threads)
        mappings.append(target.mappings())
    # What the first updates load stays; after that an attachment leaves no mapping.
    assert mappings[-1] < mappings[2] + 4, mappings


def test_an_edit_that_was_made_before_is_not_taken_for_the_running_code(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    target = start(ANSWERS)
    edit(tmp_path / "program.py", '"old"', '"between"')
    attachment = attach(target)
    attachment.event("watching")
    edit(tmp_path / "program.py", '"between"', '"after"')
    assert attachment.report()["status"] == "applied"
    said(target, "after")


def test_detached_it_goes_on(start: Start, attach: Attach, tmp_path: Path) -> None:
    target = start(ANSWERS)
    attachment = attach(target, "--detach")
    assert "goes on watching" in attachment.ended()
    assert attachment.process.returncode == 0
    edit(tmp_path / "program.py", '"old"', '"new"')
    said(target, "new")
    # Who attaches again joins, and takes nothing away at the end.
    again = attach(target)
    assert again.event("watching")["already"]
    assert again.end() == 0
    edit(tmp_path / "program.py", '"new"', '"newer"')
    said(target, "newer")


def test_two_attachments_at_once_hear_of_the_same_update(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    target = start(ANSWERS)
    first, second = attach(target), attach(target)
    first.event("watching")
    second.event("watching")
    edit(tmp_path / "program.py", '"old"', '"new"')
    assert first.report()["generation"] == second.report()["generation"] == 1
    assert first.end() == 0
    edit(tmp_path / "program.py", '"new"', '"newer"')
    assert second.report()["generation"] == 2
    said(target, "newer")
    assert second.end() == 0


def test_where_the_program_watches_itself_the_attachment_joins(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    target = start("import hotswap\nhotswap.watch('.')\n" + ANSWERS, python=sys.executable)
    attachment = attach(target)
    assert attachment.event("watching")["already"]
    edit(tmp_path / "program.py", '"old"', '"new"')
    assert attachment.report()["status"] == "applied"
    assert attachment.end() == 0
    edit(tmp_path / "program.py", '"new"', '"newer"')
    said(target, "newer")


def test_the_terminal_is_killed(start: Start, attach: Attach, tmp_path: Path) -> None:
    target = start(ANSWERS)
    threads = target.threads()
    attachment = attach(target)
    attachment.event("watching")
    attachment.kill()
    until(target.threads, lambda count: count == threads)
    assert target.newest().endswith("old")


def test_the_target_ends(start: Start, attach: Attach) -> None:
    target = start(ANSWERS)
    attachment = attach(target)
    attachment.event("watching")
    target.kill()
    assert f"process {target.pid} has ended" in attachment.ended()
    assert attachment.process.returncode == 1


def test_the_exit_of_an_attached_program_is_as_ever(start: Start, attach: Attach) -> None:
    source = "import sys\nprint('up')\nsys.stdin.readline()\nprint('out')\nsys.exit(3)\n"
    target = start(source)
    attachment = attach(target)
    attachment.event("watching")
    assert target.process.stdin is not None
    target.process.stdin.write("\n")
    target.process.stdin.flush()
    assert target.process.wait(20) == 3
    assert target.line(lambda line: True) == "out"
    assert target.lines.empty()


def test_a_program_without_threads_keeps_its_main_thread(start: Start, attach: Attach) -> None:
    # Up to CPython 3.12 the first to import threading is taken for the main thread.
    source = """
import sys, time
assert "threading" not in sys.modules
print("up")
while "threading" not in sys.modules:
    time.sleep(0.01)
time.sleep(0.5)
import threading
main = threading.main_thread()
print("main", main is threading.current_thread(), main.ident == threading.get_ident(), main.name)
def late():
    time.sleep(0.3)
    print("late")
threading.Thread(target=late).start()
"""
    target = start(source, "-S", "-I")
    attachment = attach(target)
    attachment.event("watching")
    assert target.line(lambda line: line.startswith("main")) == "main True True MainThread"
    assert target.line(lambda line: True) == "late"
    assert target.process.wait(20) == 0
    assert target.lines.empty()


FORKING = """
import os, sys, time
def answer():
    return "old"
print("up")
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        time.sleep(0.4)
        print("child", answer(), len(os.listdir("/proc/self/task")), sum("hotswap" in str(one) for one in sys.meta_path))
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_a_child_that_is_forked_meanwhile_has_the_code_and_no_attachment(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    target = start(FORKING)
    attachment = attach(target)
    attachment.event("watching")
    edit(tmp_path / "program.py", '"old"', '"new"')
    attachment.report()
    assert target.process.stdin is not None
    target.process.stdin.write("\n")
    target.process.stdin.flush()
    assert target.line(lambda line: line.startswith("child")) == "child new 1 0"
    edit(tmp_path / "program.py", '"new"', '"newer"')
    assert attachment.report()["generation"] == 2
    assert attachment.end() == 0


def test_a_child_of_a_detached_one_watches(start: Start, attach: Attach, tmp_path: Path) -> None:
    target = start(FORKING.replace("time.sleep(0.4)", "time.sleep(0.3); input(); time.sleep(0.5)"))
    assert "goes on watching" in attach(target, "--detach").ended()
    assert target.process.stdin is not None
    target.process.stdin.write("\n")
    target.process.stdin.flush()
    until(lambda: Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text(), bool)
    edit(tmp_path / "program.py", '"old"', '"new"')
    target.process.stdin.write("\n")
    target.process.stdin.flush()
    assert target.line(lambda line: line.startswith("child")).startswith("child new ")


def test_ps_lists_it(start: Start, attach: Attach) -> None:
    target = start(ANSWERS)

    def listed() -> dict[str, object]:
        words = [sys.executable, "-m", "hotswap", "ps", "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        return next(process for process in json.loads(done.stdout) if process["pid"] == target.pid)

    before = listed()
    assert before["version"] == "{}.{}".format(*sys.version_info[:2])
    assert str(before["command"]).count("program.py") == 1
    assert before["hotswap"] is False
    attach(target).event("watching")
    assert listed()["hotswap"] is True
