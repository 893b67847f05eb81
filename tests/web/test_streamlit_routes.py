"""Which of Streamlit's routes the storefront leaves open."""

from unittest.mock import MagicMock

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

from store.web import middleware
from tests.support import event_loops

OPEN = {
    "/_stcore/health": {"GET", "HEAD", "OPTIONS"},
    "/_stcore/host-config": {"GET", "HEAD"},
    "/media/{file_id:path}": {"GET", "HEAD", "OPTIONS"},
}


def http_routes() -> list[Route]:
    """Every HTTP route that this version of Streamlit serves beside the page itself."""
    routes: list[BaseRoute] = create_streamlit_routes(MagicMock())
    assert len(routes) > 10
    return [route for route in routes if isinstance(route, Route)]


@pytest.mark.scenario("Q3")
def test_every_route_of_streamlit_is_closed_but_those_a_page_needs() -> None:
    opened: dict[str, set[str]] = {}
    for route in http_routes():
        for method in route.methods or ():
            if not middleware.is_closed(route.path.replace("{", "").replace("}", ""), method):
                opened.setdefault(route.path, set()).add(method)

    assert opened == OPEN


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "BREW"])
@pytest.mark.parametrize("path", ["/_stcore/upload_file/a/b", "/_stcore/health", "/media/x"])
@pytest.mark.scenario("Q3")
def test_nothing_of_streamlits_is_written_to(path: str, method: str) -> None:
    assert middleware.is_closed(path, method)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/order", "/rehearsal", "/back-office", "/back-office/products/new", "/go/ABCD"),
        *("/images/red-t-shirt.svg", "/favicon.png", "/static/js/index.js", "/healthy", "/apple"),
    ],
)
def test_the_shops_own_addresses_stay_open(path: str) -> None:
    assert not middleware.is_closed(path, "GET")


@pytest.mark.scenario("Q3")
def test_the_body_of_a_closed_route_is_not_read() -> None:
    async def unreachable(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the framework was asked")

    async def receive() -> Message:
        raise AssertionError("the body was read")

    def render() -> Response:
        return PlainTextResponse("There is no such page here.", 404)

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/a/b", "headers": []}
    app = middleware.OwnAddresses(unreachable, render, may_upload=lambda _scope: False)
    event_loops.run(app(scope, receive, send))

    assert sent[0]["status"] == 404


def test_streamlit_mounts_only_what_a_page_needs() -> None:
    mounts = [r for r in create_streamlit_routes(MagicMock()) if isinstance(r, Mount)]

    assert [mount.path for mount in mounts] in ([""], ["/static"], [])


@pytest.mark.parametrize(
    ("method", "path", "reached"),
    [
        ("PUT", "/_stcore/upload_file/a/b", True),
        ("DELETE", "/_stcore/upload_file/a/b", True),
        ("POST", "/_stcore/upload_file/a/b", False),
        ("PUT", "/_stcore/health", False),
        ("PUT", "/media/x", False),
    ],
)
def test_an_operator_may_upload_and_nothing_else(method: str, path: str, reached: bool) -> None:
    async def framework(_scope: Scope, _receive: Receive, send: Send) -> None:
        await PlainTextResponse("", 204)(_scope, _receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = middleware.OwnAddresses(
        framework, lambda: PlainTextResponse("", 404), may_upload=lambda _scope: True
    )
    event_loops.run(
        app({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    )

    assert sent[0]["status"] == (204 if reached else 404)
