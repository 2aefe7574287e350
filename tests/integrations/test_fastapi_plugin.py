from __future__ import annotations

import pytest

pytest.importorskip("httpx")
fastapi = pytest.importorskip("fastapi")

from fastapi.testclient import TestClient  # noqa: E402

APP = """\
from typing import List
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel
HITS = []
class Item(BaseModel):
    name: str
def limit(n: int = 10):
    return n
app = FastAPI()
router = APIRouter()
@app.get("/")
async def index():
    HITS.append(1)
    return {"hits": len(HITS)}
@app.get("/limited")
def limited(n: int = Depends(limit)):
    return n
@app.post("/items")
def make(item: Item):
    return item
@router.get("/a")
def a():
    return "a"
app.include_router(router, prefix="/api")
# end
"""


def get(client, path):
    response = client.get(path)
    return response.json() if response.status_code == 200 else response.status_code


@pytest.fixture
def mod(project):
    module = project.load(APP)
    module.client = TestClient(module.app)
    assert get(module.client, "/") == {"hits": 1}
    assert get(module.client, "/api/a") == "a"
    assert "/limited" in module.app.openapi()["paths"]
    return module


def paths(app):
    return sorted(app.openapi()["paths"])


def test_route_is_added_to_the_running_app(project, mod):
    project.apply(("# end", '@app.get("/more")\ndef more(q: str = "q"):\n    return q'))
    assert get(mod.client, "/more?q=x") == "x"
    assert get(mod.client, "/") == {"hits": 2}
    assert "/more" in paths(mod.app)


def test_changed_path_replaces_the_old_route(project, mod):
    count = len(mod.app.routes)
    project.apply(('"/limited"', '"/bounded"'))
    assert get(mod.client, "/bounded") == 10
    assert get(mod.client, "/limited") == 404
    assert len(mod.app.routes) == count
    assert paths(mod.app) == ["/", "/api/a", "/bounded", "/items"]


def test_replaced_route_keeps_its_place_in_the_order(project, mod):
    project.apply(
        (
            "# end",
            '@app.get("/x/one")\ndef one():\n    return 1\n@app.get("/x/{n}")\ndef any_(n):\n    return n',
        )
    )
    assert get(mod.client, "/x/one") == 1
    project.apply(('"/x/one")', '"/x/one", tags=["t"])'))
    assert get(mod.client, "/x/one") == 1
    assert get(mod.client, "/x/two") == "two"


def test_removed_endpoint_answers_no_more(project, mod):
    project.apply(('@app.get("/limited")\ndef limited(n: int = Depends(limit)):\n    return n\n', ""))
    assert get(mod.client, "/limited") == 404
    assert "/limited" not in paths(mod.app)


def test_added_parameter_is_read_from_the_request(project, mod):
    held = mod.index
    project.apply(
        ("async def index():", "async def index(q: str = 'none'):"),
        ('{"hits": len(HITS)}', '{"hits": len(HITS), "q": q}'),
    )
    assert get(mod.client, "/?q=x") == {"hits": 2, "q": "x"}
    assert held is mod.index
    assert [p["name"] for p in mod.app.openapi()["paths"]["/"]["get"]["parameters"]] == ["q"]
    # Once more: the signature is known by now.
    project.apply(("q: str = 'none'", "q: int = 5"))
    assert get(mod.client, "/") == {"hits": 3, "q": 5}
    assert get(mod.client, "/?q=x") == 422


def test_added_dependency_is_resolved(project, mod):
    project.apply(
        ("async def index():", "async def index(n=Depends(limit)):"), ('{"hits": len(HITS)}', '{"n": n}')
    )
    assert get(mod.client, "/?n=3") == {"n": 3}


def test_changed_signature_of_a_dependency(project, mod):
    project.apply(("def limit(n: int = 10):\n    return n", "def limit(m: int = 20):\n    return m"))
    assert get(mod.client, "/limited") == 20
    assert get(mod.client, "/limited?m=7") == 7


def test_body_edit_leaves_the_route_alone(project, mod):
    route = next(route for route in mod.app.routes if getattr(route, "path", "") == "/limited")
    project.apply(
        (
            "def limited(n: int = Depends(limit)):\n    return n",
            "def limited(n: int = Depends(limit)):\n    return n + 1",
        )
    )
    app = route.app
    project.apply(("return n + 1", "return n + 2"))
    assert route.app is app
    assert get(mod.client, "/limited") == 12


def test_return_annotation_is_the_response_model(project, mod):
    project.apply(('def a():\n    return "a"', 'def a() -> List[int]:\n    return ["1", "2"]'))
    assert get(mod.client, "/api/a") == [1, 2]


def test_model_gets_a_field(project, mod):
    assert mod.client.post("/items", json={"name": "x"}).json() == {"name": "x"}
    project.apply(("    name: str\n", "    name: str\n    size: int = 3\n"))
    assert mod.client.post("/items", json={"name": "x"}).json() == {"name": "x", "size": 3}
    assert mod.client.post("/items", json={"name": "x", "size": 4}).json() == {"name": "x", "size": 4}


def test_plain_endpoint_becomes_async(project, mod):
    project.apply(("def limited(", "async def limited("))
    assert get(mod.client, "/limited") == 10


def test_routes_of_an_included_router(project, mod):
    project.apply(("app.include_router", '@router.get("/b")\ndef b():\n    return "b"\napp.include_router'))
    assert get(mod.client, "/api/b") == "b"
    project.apply(('"/a")', '"/c")'))
    assert get(mod.client, "/api/c") == "a"
    assert get(mod.client, "/api/a") == 404
    project.apply(('def a():\n    return "a"', 'def a(q: str = "q"):\n    return q'))
    assert get(mod.client, "/api/c?q=x") == "x"
    project.apply(('@router.get("/b")\ndef b():\n    return "b"\n', ""))
    assert get(mod.client, "/api/b") == 404
    assert paths(mod.app) == ["/", "/api/c", "/items", "/limited"]


def test_changed_prefix_includes_the_router_once(project, mod):
    project.apply(('prefix="/api"', 'prefix="/v2"'))
    assert get(mod.client, "/v2/a") == "a"
    assert get(mod.client, "/api/a") == 404


def test_rejected_update_leaves_no_route(project, mod):
    before = list(mod.app.routes)
    project.refuse(
        ('"/limited"', '"/bounded"'),
        (
            "# end",
            '@app.get("/more")\ndef more():\n    return 1\n@router.get("/d")\ndef d():\n    return 1\n1 / 0',
        ),
    )
    assert list(mod.app.routes) == before
    assert get(mod.client, "/limited") == 10
    assert get(mod.client, "/bounded") == get(mod.client, "/more") == get(mod.client, "/api/d") == 404
    assert paths(mod.app) == ["/", "/api/a", "/items", "/limited"]


def test_signature_that_fastapi_refuses_is_in_the_report(project, mod):
    report = project.apply(("async def index():", "async def index(q: object() = 1):"))
    assert any("the route / keeps its old signature" in note for note in report.notes), report.notes


def test_websocket_endpoint(project, mod):
    project.apply(
        (
            "# end",
            'from fastapi import WebSocket\n@app.websocket("/ws")\nasync def ws(socket: WebSocket):\n'
            '    await socket.accept()\n    await socket.send_text("one")\n    await socket.close()\n',
        )
    )
    with mod.client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "one"
    project.apply(
        ("ws(socket: WebSocket):", "ws(socket: WebSocket, q: str = 'q'):"),
        ('send_text("one")', "send_text(q)"),
    )
    with mod.client.websocket_connect("/ws?q=two") as socket:
        assert socket.receive_text() == "two"


def test_decorator_that_is_gone_withdraws_its_route(project, mod):
    project.apply(('@app.get("/limited")\n', ""))
    assert get(mod.client, "/limited") == 404
    project.apply(('@router.get("/a")\n', '@router.get("/x")\n@router.get("/y")\n'))
    assert get(mod.client, "/api/x") == get(mod.client, "/api/y") == "a"
    project.apply(('@router.get("/x")\n', ""))
    assert get(mod.client, "/api/x") == 404
    assert get(mod.client, "/api/y") == "a"
