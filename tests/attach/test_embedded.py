"""A host in C whose main thread never runs Python, and that knows nothing of hotswap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import compile_host
from live import edit, until
from processes import Attachment, Process, clean_environment

Attach = Callable[..., Attachment]
PLUGIN = """
import sys, time
sys.path.insert(0, '.')
import part
while not part.ended:
    part.calls += 1
    print(part.calls, part.answer(), flush=True)
    time.sleep(0.02)
"""
PART = "calls = 0\nended = False\ndef answer():\n    return 'old'\n"


@pytest.fixture
def target(processes: list[Process], tmp_path: Path) -> Process:
    """The host, with a plug-in that runs."""
    try:
        host = compile_host(tmp_path)
    except LookupError as error:
        pytest.skip(str(error))
    (tmp_path / "part.py").write_text(PART)
    words = [str(host), PLUGIN, "import part; part.ended = True"]
    processes.append(Process(words, tmp_path, clean_environment()))
    processes[-1].line(lambda line: line.endswith("old"))
    return processes[-1]


def test_edits_reach_the_plugin_and_the_host_ends_as_ever(
    target: Process, attach: Attach, tmp_path: Path
) -> None:
    threads = target.threads()
    attachment = attach(target)
    attachment.event("watching")
    for old, new in (("old", "one"), ("one", "two"), ("two", "three")):
        edit(tmp_path / "part.py", f"'{old}'", f"'{new}'")
        assert attachment.report()["status"] == "applied"
        target.line(lambda line, new=new: line.endswith(new))
    edit(tmp_path / "part.py", "def answer():", "def answer(:")
    assert attachment.report()["status"] == "rejected"
    assert target.newest().endswith("three")
    assert int(target.newest().split()[0]) > 3
    assert attachment.end() == 0
    until(target.threads, lambda count: count == threads)
    assert target.process.stdin is not None
    target.process.stdin.write("end\n")
    target.process.stdin.flush()
    assert target.line(lambda line: line.startswith("host: finalised")) == "host: finalised 0"
    assert target.process.wait(30) == 0


def test_the_host_ends_while_it_is_attached(target: Process, attach: Attach) -> None:
    attachment = attach(target)
    attachment.event("watching")
    assert target.process.stdin is not None
    target.process.stdin.write("end\n")
    target.process.stdin.flush()
    assert target.line(lambda line: line.startswith("host: finalised")) == "host: finalised 0"
    assert target.process.wait(30) == 0
    attachment.ended()
