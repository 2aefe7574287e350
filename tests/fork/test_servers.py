"""gunicorn and uvicorn under `hotswap run`: an edit reaches every worker, and is told in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from live import save, until
from running import Running, answers_of_all, free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers are forks")

Run = Callable[..., Running]

WSGI = """\
import os
from words import word

def app(environ, start_response):
    body = f"{os.getpid()} {word()}".encode()
    start_response("200 OK", [("Content-Length", str(len(body))), ("Connection", "close")])
    return [body]
"""
ASGI = """\
import os
from words import word

async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = f"{os.getpid()} {word()}".encode()
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
WORDS = "def word():\n    return '{}'\n"
REFUSED = "import os\nif os.getpid() == {}:\n    raise RuntimeError('not in this one')\ndef word():\n    return '{}'\n"


def gunicorn(run: Run, port: int, *words: str) -> Running:
    place = ("--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-tmp-dir", "/dev/shm")
    return run("-m", "hotswap", "run", "-m", "gunicorn", *place, "--graceful-timeout", "2", *words, "app:app")


@pytest.mark.parametrize("words", [(), ("--preload",)], ids=["own import", "preload"])
def test_gunicorn(words: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    save(tmp_path / "app.py", WSGI)
    save(tmp_path / "words.py", WORDS.format("one"))
    port = free_port()
    server = gunicorn(run, port, *words)
    first, *workers = server.processes(3)
    assert first["pid"] == server.process.pid
    assert all(worker["ppid"] == server.process.pid for worker in workers)
    answers = answers_of_all(port, 2)
    assert until(answers, lambda said: "" not in said) == {"one"}
    save(tmp_path / "words.py", WORDS.format("two"))
    assert until(answers, lambda said: "one" not in said and "" not in said) == {"two"}
    # With --preload the first process has the modules too.
    line = server.line("hotswap", "words.py", "patched word")
    assert f"(slowest of {3 if words else 2} processes)" in line, line
    pids = sorted(worker["pid"] for worker in workers)
    save(tmp_path / "words.py", REFUSED.format(pids[1], "three"))
    line = server.line("hotswap", "words.py")
    assert f"in {pids[1]}: rejected" in line and "not in this one" in line, line
    assert until(answers, lambda said: "three" in said) == {"two", "three"}
    # One family, and one log.
    assert f"  {pids[0]}  generation" in server.hotswap("status")
    log = server.hotswap("log").splitlines()
    assert len(log) == 2 and "processes)" in log[0] and f"in {pids[1]}: rejected" in log[1]
    last = json.loads(server.hotswap("log", "--json").splitlines()[-1])
    assert {process["pid"]: process["status"] for process in last["processes"]}[pids[1]] == "rejected"
    assert server.end() == 0
    assert not [line for line in server.seen if line.startswith("hotswap[")], "\n".join(server.seen)


def test_uvicorn_with_workers_that_are_spawned(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "app.py", ASGI)
    save(tmp_path / "words.py", WORDS.format("one"))
    port = free_port()
    words = ("--port", str(port), "--workers", "2", "--log-level", "warning", "app:app")
    server = run("-m", "hotswap", "run", "-m", "uvicorn", *words)
    server.processes(3)
    answers = answers_of_all(port, 2)
    assert until(answers, lambda said: "" not in said) == {"one"}
    save(tmp_path / "words.py", WORDS.format("two"))
    assert until(answers, lambda said: "one" not in said and "" not in said) == {"two"}
    assert "(slowest of 2 processes)" in server.line("hotswap", "words.py", "patched word")
    server.end()
    assert not [line for line in server.seen if "Traceback" in line or line.startswith("hotswap[")], (
        server.seen
    )
