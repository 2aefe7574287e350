"""Real servers that know nothing of hotswap: an edit that is made after the attachment is live."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from live import edit, until
from processes import Attachment, Process, clean_environment

Attach = Callable[..., Attachment]
pytestmark = pytest.mark.slow


def needs(package: str) -> pytest.MarkDecorator:
    """Not run where a package is not installed, as on a CPython too new for it; CI installs all of them."""
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs {package}")


WSGI = """
import os
served = 0
def greeting():
    return "old"
def app(environ, start_response):
    global served
    served += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {served} {greeting()}".encode()]
"""
ASGI = """
import os
served = 0
def greeting():
    return "old"
async def app(scope, receive, send):
    global served
    if scope["type"] != "http":
        return
    served += 1
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{os.getpid()} {served} {greeting()}".encode()})
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def get(port: int) -> tuple[int, int, str]:
    """The process that answered, how often it had, and its greeting."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        pid, served, greeting = answer.read().decode().split()
    return int(pid), int(served), greeting


def answers(port: int) -> bool:
    try:
        get(port)
    except OSError:
        return False
    return True


def serve(processes: list[Process], folder: Path, *words: str) -> Process:
    processes.append(
        Process([sys.executable, "-m", *words], folder, clean_environment(PYTHONPATH=str(folder)))
    )
    return processes[-1]


@needs("gunicorn")
def test_gunicorn_with_two_workers(processes: list[Process], attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(WSGI)
    port = free_port()
    server = serve(processes, tmp_path, "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "shop:app")
    until(lambda: answers(port), bool)
    workers = until(lambda: children(server.pid), lambda found: len(found) == 2)
    attachments = [attach(worker) for worker in workers]
    for attachment in attachments:
        attachment.event("watching")
    edit(tmp_path / "shop.py", '"old"', '"new"')
    for attachment in attachments:
        assert attachment.report()["status"] == "applied"
    seen = {}
    deadline = time.monotonic() + 20
    while set(seen) != set(workers) and time.monotonic() < deadline:
        pid, served, greeting = get(port)
        seen[pid] = (served, greeting)
    assert {greeting for _, greeting in seen.values()} == {"new"}
    assert children(server.pid) == workers
    for attachment in attachments:
        assert attachment.end() == 0
    assert get(port)[2] == "new"


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(map(int, text.split()))


@needs("uvicorn")
def test_uvicorn(processes: list[Process], attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(ASGI)
    port = free_port()
    server = serve(processes, tmp_path, "uvicorn", "--port", str(port), "shop:app")
    until(lambda: answers(port), bool)
    served = get(port)[1]
    attachment = attach(server)
    attachment.event("watching")
    edit(tmp_path / "shop.py", '"old"', '"new"')
    assert attachment.report()["status"] == "applied"
    assert get(port) == (server.pid, served + 1, "new")
    assert attachment.end() == 0
    assert get(port) == (server.pid, served + 2, "new")


@needs("ipykernel")
def test_a_kernel_of_jupyter(attach: Attach, tmp_path: Path) -> None:
    from jupyter_client.manager import start_new_kernel

    (tmp_path / "shop.py").write_text("def greeting():\n    return 'old'\n")
    manager, client = start_new_kernel(cwd=str(tmp_path), env=clean_environment(PYTHONPATH=str(tmp_path)))

    def run(code: str) -> str:
        printed: list[str] = []
        client.execute_interactive(
            code,
            timeout=30,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        return "".join(printed)

    try:
        pid = int(re.findall(r"\d+", run("import os; print(os.getpid())"))[0])
        assert pid != os.getpid()
        assert "old" in run("from shop import greeting; kept = 41; print(greeting())")
        attachment = attach(pid)
        attachment.event("watching")
        edit(tmp_path / "shop.py", "'old'", "'new'")
        assert attachment.report()["status"] == "applied"
        assert "new 42" in run("print(greeting(), kept + 1)")
        assert attachment.end() == 0
        assert "new 41" in run("print(greeting(), kept)")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
