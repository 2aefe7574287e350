"""A Flask application and the Flask below it change while requests go on."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")
sys.path.insert(0, str(Path(__file__).parent))

from conftest import copy_library, edit, environment, wait_for  # noqa: E402

APP = """\
import itertools
import os
from flask import Flask, jsonify
from waitress import create_server
from shop import price

app = Flask(__name__)
COUNTER = itertools.count(1)
GREETING = "hello"

@app.route("/")
def index():
    return jsonify(pid=os.getpid(), count=next(COUNTER), text=GREETING, price=price(2))

if __name__ == "__main__":
    server = create_server(app, host="127.0.0.1", port=0, threads=6)
    print("port", server.effective_port, flush=True)
    server.run()
"""
SHOP = """\
def price(amount):
    return amount * 10
"""


class Connection:
    """One connection that is kept open; it never connects a second time."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.connection.connect()
        self.connection.auto_open = 0

    def get(self, path: str = "/") -> tuple[int, dict[str, str], str]:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()

    def json(self, path: str = "/") -> dict[str, object]:
        status, _, body = self.get(path)
        assert status == 200, body
        return json.loads(body)


class Hammer:
    """Threads that send requests over open connections without a pause, and note every answer that failed."""

    def __init__(self, port: int, threads: int = 3) -> None:
        self.port = port
        self.answers = 0
        self.counts: list[int] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        try:
            connection = Connection(self.port)
            while not self._stop.is_set():
                self.counts.append(int(str(connection.json()["count"])))
                self.answers += 1
        except Exception as error:
            self.failures.append(repr(error))

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


@pytest.fixture
def server(tmp_path: Path, run) -> Iterator[tuple]:
    library = copy_library("flask", tmp_path / "libraries")
    (tmp_path / "app").mkdir()
    app, shop = tmp_path / "app" / "app.py", tmp_path / "app" / "shop.py"
    app.write_text(APP)
    shop.write_text(SHOP)
    program = run("--watch", str(library), str(app), env=environment(library.parent))
    port = int(program.wait_for_line("port", program.out).split()[1])
    hammer = Hammer(port)
    yield program, port, hammer, app, shop, library
    hammer.stop()


def test_flask_application_and_library_change_under_load(server) -> None:
    program, port, hammer, app, shop, library = server
    connection = Connection(port)
    first = connection.json()
    assert first["pid"] == program.process.pid
    assert (first["text"], first["price"]) == ("hello", 20)
    answered = wait_for(lambda: hammer.answers > 50 and hammer.answers, lambda: f"{hammer.failures}\n{program}")

    # The application: a constant, a body in another module, a new route.
    edit(app, ('"hello"', '"good day"'), ("if __name__", '@app.route("/new")\ndef new():\n    return "new"\n\nif __name__'))
    edit(shop, ("amount * 10", "amount * 11"))
    wait_for(lambda: connection.json()["text"] == "good day", lambda: program)
    wait_for(lambda: connection.json()["price"] == 22, lambda: program)
    assert connection.get("/new")[2] == "new"

    # Modules inside the library: a method of the application class, and the JSON provider.
    edit(
        library / "app.py",
        ("response = self.make_response(rv)", 'response = self.make_response(rv)\n        response.headers["X-Library"] = "edited"'),
    )
    wait_for(lambda: connection.get()[1].get("X-Library") == "edited", lambda: program)
    edit(library / "json" / "provider.py", ('mimetype = "application/json"', 'mimetype = "application/vnd.edited+json"'))
    wait_for(lambda: connection.get()[1]["Content-Type"] == "application/vnd.edited+json", lambda: program)

    # A syntax error in each is refused while requests go on.
    for path, broken, fixed in (
        (app, ('"good day"', '"good day'), ('"good day', '"good evening"')),
        (library / "app.py", ('= "edited"', '= ("edited"'), ('= ("edited"', '= "edited again"')),
    ):
        lines = len(program.err)
        edit(path, broken)
        program.wait_for_line("SyntaxError", program.err, lines)
        before = hammer.answers
        wait_for(lambda before=before: hammer.answers > before + 50, lambda: f"{hammer.failures}\n{program}")
        assert connection.json()["text"] == "good day"
        assert connection.get()[1]["X-Library"] == "edited"
        edit(path, fixed)
        if path == app:
            wait_for(lambda: connection.json()["text"] == "good evening", lambda: program)
            edit(app, ('"good evening"', '"good day"'))
            wait_for(lambda: connection.json()["text"] == "good day", lambda: program)
        else:
            wait_for(lambda: connection.get()[1]["X-Library"] == "edited again", lambda: program)

    # A path that changed and a view that is gone.
    edit(app, ('"/new"', '"/newer"'))
    wait_for(lambda: connection.get("/newer")[0] == 200, lambda: program)
    wait_for(lambda: connection.get("/new")[0] == 404, lambda: program)
    edit(app, ('@app.route("/newer")\ndef new():\n    return "new"\n', ""))
    wait_for(lambda: connection.get("/newer")[0] == 404, lambda: program)

    hammer.stop()
    last = connection.json()
    assert hammer.failures == [], f"{hammer.failures}\n{program}"
    assert last["pid"] == first["pid"] == program.process.pid
    assert hammer.answers > answered
    # One counter through all of it: nothing was counted twice, and it never began anew.
    assert len(set(hammer.counts)) == len(hammer.counts)
    assert int(str(last["count"])) > max(hammer.counts)
    assert not [line for line in program.err if "Traceback" in line], str(program)
