"""A web server with state in memory: how often it was visited, since when it is up, and who listens.

    hotswap run server.py [port]

`/` is a page, `/visits` the same in one line, `/stream` a connection that stays open.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pages import page
from visits import Visits

visits = Visits()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/stream":
            return self.stream()
        if self.path == "/visits":
            return self.answer(visits.line() + f" by process {os.getpid()}\n")
        visits.count()
        self.answer(page(visits))

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        """One line each tenth of a second, for as long as the other side listens."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        tick = 0
        while True:
            tick += 1
            try:
                self.wfile.write(f"tick {tick}: {visits.line()}\n".encode())
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, format, *args):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.current_thread().name = "server"
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"bye after {visits.total} visits")
