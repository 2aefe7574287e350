"""Between two requests is a safe moment: an update of handlers that must agree waits for it, however busy the server is."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

HANDLERS = """\
import asyncio, time

def first{n}():
    return {n}

def second(name):
    return globals()[name]()

def handle():
    one = second("first{n}")
    time.sleep(0.001)
    return one, second("first{n}"), {n}

async def answer():
    one = second("first{n}")
    await asyncio.sleep(0.001)
    return one, second("first{n}"), {n}
"""


class Server:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "handlers_of_requests.py"
        self.write(0)
        self.session = hotswap.watch(folder, consistency="quiescent", quiescence_timeout=5.0)
        self.session.pause()
        self.handlers: Any = __import__("handlers_of_requests")
        hotswap.sync()

    def write(self, number: int) -> None:
        self.file.write_text(HANDLERS.format(n=number))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.syspath_prepend(str(tmp_path))
    server = Server(tmp_path)
    yield server
    server.session.stop()
    sys.modules.pop("handlers_of_requests", None)


def test_requests_in_threads_see_one_version_each(server: Server) -> None:
    handlers = server.handlers

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = repr(handlers.handle()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    stop, seen, wrong = threading.Event(), set(), []

    def visit() -> None:
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", web.server_port, timeout=30)
            connection.request("GET", "/")
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
            values = set(eval(text)) if response.status == 200 else {text}
            (seen.update if len(values) == 1 else wrong.append)(values)

    visitors = [threading.Thread(target=visit, daemon=True) for _ in range(6)]
    for visitor in visitors:
        visitor.start()
    reports = []
    for number in range(1, 9):
        server.write(number)
        reports.append(hotswap.sync())
    stop.set()
    for visitor in visitors:
        visitor.join(30)
    web.shutdown()
    web.server_close()
    assert [report.status for report in reports] == ["applied"] * 8, [str(report) for report in reports]
    assert not wrong
    assert seen <= set(range(9))
    assert handlers.handle() == (8, 8, 8)


def test_requests_in_tasks_see_one_version_each(server: Server) -> None:
    handlers = server.handlers
    statuses, answers = [], []

    async def visit(stop: asyncio.Event) -> None:
        while not stop.is_set():
            answers.append(await handlers.answer())
            # The server waits for the next request.
            await asyncio.sleep(0.002)

    async def serve() -> None:
        stop = asyncio.Event()
        tasks = [asyncio.ensure_future(visit(stop)) for _ in range(2)]
        loop = asyncio.get_running_loop()
        for number in range(1, 6):
            server.write(number)
            statuses.append((await loop.run_in_executor(None, hotswap.sync)).status)
        stop.set()
        await asyncio.gather(*tasks)

    asyncio.run(serve())
    assert statuses == ["applied"] * 5
    assert [answer for answer in answers if len(set(answer)) > 1] == []
    assert handlers.second("first5") == 5
