from __future__ import annotations

import pytest

pytest.importorskip("httpx")
starlette = pytest.importorskip("starlette")

from starlette.testclient import TestClient  # noqa: E402

APP = """\
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
HITS = []
app = Starlette()
async def index(request):
    HITS.append(1)
    return PlainTextResponse("home %d" % len(HITS))
def other(request):
    return PlainTextResponse("other")
app.add_route("/", index)
app.add_route("/other", other)
# end
"""


def get(client, path):
    response = client.get(path)
    return response.text if response.status_code == 200 else response.status_code


@pytest.fixture
def mod(project):
    module = project.load(APP)
    module.client = TestClient(module.app)
    assert get(module.client, "/") == "home 1"
    return module


def test_route_is_added_to_the_running_app(project, mod):
    project.apply(
        (
            "# end",
            "async def more(request):\n    return PlainTextResponse('more')\napp.add_route('/more', more)\n# end",
        )
    )
    assert get(mod.client, "/more") == "more"
    assert get(mod.client, "/") == "home 2"


def test_removed_endpoint_answers_no_more(project, mod):
    report = project.apply(
        ('def other(request):\n    return PlainTextResponse("other")\n', ""),
        ('app.add_route("/other", other)\n', ""),
    )
    assert get(mod.client, "/other") == 404
    assert "starlette: the route /other was withdrawn" in report.notes


def test_rejected_update_leaves_no_route(project, mod):
    before = list(mod.app.routes)
    project.refuse(
        (
            "# end",
            "def more(request):\n    return PlainTextResponse('more')\napp.add_route('/more', more)\n1 / 0",
        )
    )
    assert get(mod.client, "/more") == 404
    assert mod.app.routes == before


def test_exception_handler_reaches_the_built_middleware(project, mod):
    project.apply(
        (
            "# end",
            "def lost(request, error):\n    return PlainTextResponse('lost')\napp.add_exception_handler(404, lost)",
        )
    )
    assert get(mod.client, "/nowhere") == "lost"


def test_exception_handler_of_a_rejected_update_is_gone(project, mod):
    project.refuse(
        (
            "# end",
            "def lost(request, error):\n    return PlainTextResponse('lost')\napp.add_exception_handler(404, lost)\n1 / 0",
        )
    )
    assert get(mod.client, "/nowhere") == 404
    assert 404 not in mod.app.exception_handlers


def test_statement_that_is_gone_withdraws_its_route(project, mod):
    project.apply(("# end", 'app.add_route("/a", other)\napp.add_route("/b", other)'))
    project.apply(('app.add_route("/b"', 'app.add_route("/c"'))
    assert get(mod.client, "/b") == 404
    assert get(mod.client, "/a") == get(mod.client, "/c") == get(mod.client, "/other") == "other"
