"""What docs/limitations.md names under "Frameworks" as not done."""

from __future__ import annotations

import builtins

import pytest


@pytest.fixture
def flask():
    return pytest.importorskip("flask")


COMPUTED = """\
from flask import Flask
app = Flask(__name__)
PREFIX = "/api"
def view(): return "view"
def other(): return "other"
app.add_url_rule(PREFIX + "/x", "x", view)
"""


def test_route_whose_path_is_computed_stays_without_its_statement(project, flask):
    mod = project.load(COMPUTED)
    project.apply(('app.add_url_rule(PREFIX + "/x", "x", view)\n', ""))
    assert mod.app.test_client().get("/api/x").data == b"view"


def test_route_whose_path_is_computed_goes_with_its_function(project, flask):
    mod = project.load(COMPUTED)
    project.apply(('app.add_url_rule(PREFIX + "/x", "x", view)\n', ""), ('def view(): return "view"\n', ""))
    assert mod.app.test_client().get("/api/x").status_code == 404


def test_application_factory_does_not_run_again(project, flask):
    mod = project.load(
        "from flask import Flask\n"
        "def create():\n"
        "    app = Flask(__name__)\n"
        "    @app.route('/a')\n"
        "    def a(): return 'one'\n"
        "    return app\n"
        "app = create()\n"
    )
    held = mod.app
    project.apply(("'/a'", "'/b'"), ("'one'", "'two'"))
    client = held.test_client()
    assert client.get("/a").data == b"two" and client.get("/b").status_code == 404


def test_application_with_other_arguments_is_a_new_one(project, flask):
    mod = project.load(
        "from flask import Flask\napp = Flask(__name__)\n@app.route('/a')\ndef a(): return 'one'\n"
    )
    held = mod.app
    project.apply(("Flask(__name__)", "Flask(__name__, static_folder=None)"))
    assert mod.app is not held
    assert held.test_client().get("/a").data == b"one"


def test_new_middleware_does_not_reach_the_stack_that_is_built(project):
    pytest.importorskip("starlette")
    pytest.importorskip("httpx")
    from starlette.testclient import TestClient

    mod = project.load(
        "from starlette.applications import Starlette\n"
        "from starlette.responses import PlainTextResponse\n"
        "from starlette.routing import Route\n"
        "class Mark:\n"
        "    def __init__(self, app): self.app = app\n"
        "    async def __call__(self, scope, receive, send):\n"
        "        async def marked(message):\n"
        "            if message['type'] == 'http.response.start': message['headers'].append((b'mark', b'1'))\n"
        "            await send(message)\n"
        "        await self.app(scope, receive, marked)\n"
        "async def home(request): return PlainTextResponse('home')\n"
        "app = Starlette(routes=[Route('/', home)])\n"
    )
    client = TestClient(mod.app)
    assert client.get("/").text == "home"
    report = project.refuse(
        ("routes=[Route('/', home)])\n", "routes=[Route('/', home)])\napp.add_middleware(Mark)\n")
    )
    assert report.error is not None and "Cannot add middleware" in report.error.message
    assert "mark" not in client.get("/").headers


def test_duplicate_metric_of_somebody_else_is_refused(project):
    prometheus_client = pytest.importorskip("prometheus_client")
    core = pytest.importorskip("prometheus_client.core")
    registry = prometheus_client.CollectorRegistry()

    class Own:
        def describe(self):
            return [core.GaugeMetricFamily("taken", "doc", value=1)]

        def collect(self):
            return self.describe()

    registry.register(Own())
    builtins.own_registry = registry
    try:
        project.load("from prometheus_client import Gauge\nA = 1\n")
        report = project.refuse(("A = 1\n", "A = 1\nG = Gauge('taken', 'doc', registry=own_registry)\n"))
        assert report.error is not None and "Duplicated" in report.error.message
    finally:
        del builtins.own_registry
