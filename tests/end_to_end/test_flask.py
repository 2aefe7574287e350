"""A Flask application under `hotswap run`, served by waitress with threads, edited while it answers."""

from __future__ import annotations

import http.client
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from live import SECONDS, edit, until
from program import Program, search_path

pytest.importorskip("flask")
pytest.importorskip("waitress")

APP = """\
import os, time
from flask import Flask, Response, jsonify
from waitress.server import create_server
from texts import GREETING, line

app = Flask(__name__)
count = 0

@app.get("/")
def index():
    global count
    count += 1
    return jsonify(greeting=GREETING, count=count, pid=os.getpid())

@app.get("/stream")
def stream():
    def lines():
        number = 0
        while True:
            number += 1
            yield line(number)
            time.sleep(0.02)
    return Response(lines(), mimetype="text/plain")

if __name__ == "__main__":
    server = create_server(app, host="127.0.0.1", port=0, threads=4)
    print("port", server.effective_port, flush=True)
    server.run()
"""
TEXTS = """\
GREETING = "hello"

def line(number):
    return f"{number} old\\n"
"""


class Client:
    """One keep-alive connection for questions, one that stays open for the stream."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self.listener = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self.listener.request("GET", "/stream")
        self.stream = self.listener.getresponse()
        self.last = 0

    def get(self) -> dict[str, Any]:
        self.connection.request("GET", "/")
        answer: dict[str, Any] = json.loads(self.connection.getresponse().read())
        return answer

    def line(self) -> str:
        number, _, word = self.stream.readline().decode().strip().partition(" ")
        assert int(number) == self.last + 1
        self.last = int(number)
        return word


@pytest.fixture
def program(tmp_path: Path, run: Callable[..., Program]) -> Program:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "texts.py").write_text(TEXTS)
    spec = importlib.util.find_spec("flask")
    assert spec is not None and spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, tmp_path / "lib" / "flask")
    return run("--watch", "lib", "app.py", environment={"PYTHONPATH": search_path(tmp_path / "lib")})


def test_edits_reach_a_serving_application(tmp_path: Path, program: Program) -> None:
    client = Client(int(program.line("port ").split()[1]))
    first = client.get()
    assert (first["greeting"], first["count"]) == ("hello", 1)
    assert client.line() == "old"

    # A constant that the application imported by name, and a function that a running generator calls.
    edit(tmp_path / "texts.py", '"hello"', '"welcome"')
    program.line("hotswap #1", "texts.py")
    assert until(client.get, lambda answer: answer["greeting"] == "welcome")["count"] > 1
    edit(tmp_path / "texts.py", "old", "new")
    program.line("hotswap #2", "texts.py")
    until(client.line, lambda word: word == "new")

    # A view, under Flask's decorator.
    edit(tmp_path / "app.py", "count=count,", "count=count, path='/',")
    program.line("hotswap #3", "app.py")
    until(client.get, lambda answer: answer.get("path") == "/")

    # A module inside the installed library.
    signature = "def jsonify(*args: t.Any, **kwargs: t.Any) -> Response:\n"
    edit(
        tmp_path / "lib" / "flask" / "json" / "__init__.py",
        signature,
        f"{signature}    kwargs['library'] = 'edited'\n",
    )
    program.line("hotswap #4", "__init__.py")
    until(client.get, lambda answer: answer.get("library") == "edited")

    # A mistake is refused while requests go on, and the next save is taken.
    edit(tmp_path / "texts.py", '"welcome"', '("welcome"')
    program.line("rejected", "texts.py", "SyntaxError", "generation 4 keeps running")
    refused = client.get()
    assert refused["greeting"] == "welcome"
    edit(tmp_path / "texts.py", '("welcome"', '"good to see you"')
    program.line("hotswap #5", "texts.py")
    last = until(client.get, lambda answer: answer["greeting"] == "good to see you")

    assert last["pid"] == first["pid"] == program.process.pid
    assert last["count"] > refused["count"] > first["count"]
    assert client.line() == "new"
    assert program.process.poll() is None
