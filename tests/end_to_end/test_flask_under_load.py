"""A Flask application and the Flask below it change while threads send requests without a pause."""

from __future__ import annotations

import http.client
import importlib.util
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live import SECONDS, edit, until
from program import Program, search_path

pytest.importorskip("flask")
pytest.importorskip("waitress")

APP = """\
import itertools, os
from flask import Flask, jsonify
from waitress.server import create_server
from shop import price

app = Flask(__name__)
COUNTER = itertools.count(1)

@app.get("/")
def index():
    return jsonify(pid=os.getpid(), count=next(COUNTER), price=price(2))

if __name__ == "__main__":
    server = create_server(app, host="127.0.0.1", port=0, threads=6)
    print("port", server.effective_port, flush=True)
    server.run()
"""


class Connection:
    """One connection that is kept open; it never connects a second time."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self.connection.connect()
        self.connection.auto_open = 0

    def get(self, path: str = "/") -> tuple[int, str | None, str]:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        return response.status, response.getheader("X-Library"), response.read().decode()

    def status(self, path: str) -> int:
        return self.get(path)[0]

    def json(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.get()[2])
        return answer


class Hammer:
    """Threads that send requests over open connections and note every answer that is wrong."""

    def __init__(self, port: int, threads: int = 3) -> None:
        self.counts: list[int] = []
        self.failures: list[str] = []
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        try:
            connection = Connection(self._port)
            while not self._stop.is_set():
                status, _, body = connection.get()
                if status != 200:
                    self.failures.append(f"{status}: {body}")
                self.counts.append(json.loads(body)["count"])
        except Exception as error:
            self.failures.append(repr(error))

    def answers(self) -> tuple[int, list[str]]:
        return len(self.counts), self.failures

    def goes_on(self) -> None:
        """Wait until a good many more requests were answered."""
        before = len(self.counts)
        until(self.answers, lambda answers: answers[0] > before + 50)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)


@pytest.fixture
def program(tmp_path: Path, run: Callable[..., Program]) -> Program:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "shop.py").write_text("def price(amount):\n    return amount * 10\n")
    spec = importlib.util.find_spec("flask")
    assert spec is not None and spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, tmp_path / "lib" / "flask")
    return run("--watch", "lib", "app.py", environment={"PYTHONPATH": search_path(tmp_path / "lib")})


@pytest.fixture
def port(program: Program) -> int:
    return int(program.line("port ").split()[1])


@pytest.fixture
def hammer(port: int) -> Iterator[Hammer]:
    hammer = Hammer(port)
    hammer.goes_on()
    yield hammer
    hammer.stop()


def test_no_request_fails_while_the_application_and_its_library_change(
    tmp_path: Path, program: Program, port: int, hammer: Hammer
) -> None:
    app, shop, library = tmp_path / "app.py", tmp_path / "shop.py", tmp_path / "lib" / "flask" / "app.py"
    connection = Connection(port)
    first = connection.json()

    edit(shop, "amount * 10", "amount * 11")
    until(connection.json, lambda answer: answer["price"] == 22)
    hammer.goes_on()

    # A route comes, gets another path, and goes.
    edit(app, "if __name__", '@app.get("/new")\ndef new():\n    return "new"\n\nif __name__')
    until(lambda: connection.status("/new"), lambda status: status == 200)
    edit(app, '"/new"', '"/newer"')
    until(lambda: connection.status("/newer"), lambda status: status == 200)
    until(lambda: connection.status("/new"), lambda status: status == 404)
    edit(app, '@app.get("/newer")\ndef new():\n    return "new"\n\n', "")
    until(lambda: connection.status("/newer"), lambda status: status == 404)
    hammer.goes_on()

    # A method of the library's application class, which every request runs.
    header = 'response.headers["X-Library"] = '
    edit(
        library,
        "response = self.make_response(rv)\n",
        f"response = self.make_response(rv)\n        {header}'one'\n",
    )
    until(connection.get, lambda answer: answer[1] == "one")
    hammer.goes_on()

    # Mistakes are refused while requests go on, in the application and in the library.
    edit(shop, "amount * 11", "(amount * 11")
    program.line("rejected", "shop.py", "SyntaxError")
    hammer.goes_on()
    edit(library, f"{header}'one'", f"{header}('one'")
    program.line("rejected", "app.py", "SyntaxError")
    hammer.goes_on()
    assert connection.json()["price"] == 22
    assert connection.get()[1] == "one"
    edit(shop, "(amount * 11", "amount * 12")
    until(connection.json, lambda answer: answer["price"] == 24)
    edit(library, f"{header}('one'", f"{header}'two'")
    until(connection.get, lambda answer: answer[1] == "two")
    hammer.goes_on()

    hammer.stop()
    last = connection.json()
    assert hammer.failures == []
    assert last["pid"] == first["pid"] == program.process.pid
    # One counter through all of it: no count twice, and it never began anew.
    assert len(set(hammer.counts)) == len(hammer.counts)
    assert last["count"] > max(hammer.counts)
    assert not [line for line in program.seen if "Traceback" in line]
