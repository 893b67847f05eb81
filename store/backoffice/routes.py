"""The back office over HTTP: its pages for operators, signing in and out, orders as CSV, images.

Whatever an operator changes goes through `pages_common.OperatorAction`.
"""

import re
from itertools import chain
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from store.backoffice import sign_in
from store.backoffice.auth import NotSignedIn
from store.backoffice.sign_in import ADDRESSES, HOME, NO_STORE, SIGN_IN
from store.backoffice.state import BACK_OFFICE
from store.catalog import images
from store.core.errors import StoreError
from store.reports import csv_export, search
from store.web import formatting, responses

NAMED_BY_CONTENT = re.compile(r"[0-9a-f]{20}\.webp")
FOREVER, AN_HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"


class ImageFiles(StaticFiles):
    """Serves uploads, which are named by their content, and images that a release may replace."""

    def __init__(self) -> None:
        super().__init__(directory=images.BUNDLED_DIR)
        self.all_directories = [images.BUNDLED_DIR, images.upload_dir()]

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        immutable = NAMED_BY_CONTENT.fullmatch(Path(path).name)
        response.headers["Cache-Control"] = FOREVER if immutable else AN_HOUR
        return response


def export_orders(request: Request) -> Response:
    """The orders of a filter as CSV, sent while they are read."""
    query = request.query_params
    try:
        BACK_OFFICE.sessions.session(sign_in.operator_cookie(request))
        reader = formatting.LocaleFormatter.of(None, query.get("zone"))
        batches = search.order_batches(search.parse_filter(query, reader.zone))
        first = next(batches)  # before a 200 is sent, which could not be taken back
    except StoreError as error:
        sign_in_link = {"Sign in": sign_in.with_parameters(SIGN_IN, query, "orders")}
        links = sign_in_link if isinstance(error, NotSignedIn) else None
        return responses.plain_page(error.for_operator, error.status, links)
    return StreamingResponse(
        csv_export.csv_stream(chain([first], batches)),
        media_type="text/csv; charset=utf-8",
        headers=NO_STORE
        | {
            "Content-Disposition": 'attachment; filename="orders.csv"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def routes() -> list[BaseRoute]:
    pages = [(page, address) for page, address in ADDRESSES.items() if address.startswith(HOME)]
    return [
        Mount("/images", ImageFiles()),
        *(Route(address, sign_in.backoffice_page(page)) for page, address in pages),
        Route(SIGN_IN, sign_in.show_sign_in, methods=["GET"]),
        Route(SIGN_IN, sign_in.post_sign_in, methods=["POST"]),
        Route(f"{SIGN_IN}/{sign_in.PRESENTER}", sign_in.post_presenter_sign_in, methods=["POST"]),
        Route("/back-office/sign-out", sign_in.post_sign_out, methods=["POST"]),
        Route("/back-office/orders.csv", export_orders, methods=["GET"]),
    ]
