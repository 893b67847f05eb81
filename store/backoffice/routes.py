"""What operators do, over HTTP: every click of the back office that changes something.

Pages only show. What changes something is a POST from one of our own pages, by a session that
is valid at that very moment; the answer is a redirect, so that no reload repeats it.
"""

from collections.abc import Awaitable, Callable
from itertools import chain
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from store import door, export, images, listing, markup
from store.backoffice import actions, sign_in
from store.backoffice.auth import OPERATOR_SESSIONS, OperatorSession
from store.backoffice.presenter_sign_in import PRESENTER_SIGN_IN, post_presenter_sign_in
from store.backoffice.sign_in import ADDRESSES, HOME, NO_STORE, SIGN_IN
from store.errors import StoreError
from store.shell import Shell

LARGEST_FORM = 64 * 1024
Act = Callable[[Request, OperatorSession, FormData], str]


def action(act: Act, back: str) -> Callable[[Request], Awaitable[Response]]:
    """An address that does `act` for whoever is signed in now, and then leads to a page."""

    async def do(request: Request) -> Response:
        try:
            sign_in.require_same_origin(request)
            visit = OPERATOR_SESSIONS.session(sign_in.operator_cookie(request))
            sign_in.require_content_length(request, LARGEST_FORM)
        except StoreError as error:
            return sign_in_first(error, back, request.path_params.get("number"))
        form = await request.form(max_files=0, max_fields=20)
        try:
            there = await run_in_threadpool(act, request, visit, form)
        except StoreError as error:
            visit.flash(error.for_operator, "warning")
            number = request.path_params.get("number")
            there = order_page(number) if number else ADDRESSES[back]
        return RedirectResponse(there, 303, headers=NO_STORE)

    return do


def sign_in_first(
    error: StoreError, page: str, order_number: str | None = None, **query: str
) -> Response:
    """Why nothing was done, and the way to the same page through the sign-in."""
    asked = {**query, "order": order_number} if order_number else query
    links = {"Sign in": sign_in.sign_in_address(page, asked)}
    return door.plain_page(error.for_operator, error.status, links)


# --- what can be done ----------------------------------------------------------------------------


def field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def order_page(number: str) -> str:
    return f"{ADDRESSES['orders']}?order={quote(number, safe='')}"


def on_order(act: Callable[[OperatorSession, str, FormData], str]) -> Act:
    """Something done to one order, whose page then says what came of it."""

    def do(request: Request, visit: OperatorSession, form: FormData) -> str:
        number = request.path_params["number"]
        visit.flash(act(visit, number, form))
        return order_page(number)

    return do


def refund(visit: OperatorSession, number: str, form: FormData) -> str:
    amount, key, left = (field(form, name) for name in ("amount", "key", "left"))
    return actions.refund(visit.name, number, amount, key=key, shown_left=left)


def export_orders(request: Request) -> Response:
    """The orders of a filter as CSV, sent while they are read."""
    try:
        OPERATOR_SESSIONS.session(sign_in.operator_cookie(request))
    except StoreError as error:
        return sign_in_first(error, "orders", **request.query_params)
    reader = markup.Reader.of(None, request.query_params.get("zone"))
    batches = listing.batches(listing.wanted(request.query_params, reader.zone))
    try:
        first = next(batches)  # before a 200 is sent, which could not be taken back
    except StoreError as error:
        return door.plain_page(error.for_operator, error.status)
    return StreamingResponse(
        export.stream(chain([first], batches)),
        media_type="text/csv; charset=utf-8",
        headers=NO_STORE
        | {
            "Content-Disposition": 'attachment; filename="orders.csv"',
            "X-Content-Type-Options": "nosniff",
        },
    )


ORDER_ACTIONS: dict[str, Callable[[OperatorSession, str, FormData], str]] = {
    "refund": refund,
    "refund-again": lambda visit, number, form: actions.retry_refund(
        visit.name, number, field(form, "refund")
    ),
    "refund-off": lambda visit, number, form: actions.call_off_refund(
        visit.name, number, field(form, "refund")
    ),
    "ask": lambda visit, number, _form: actions.refresh_order(visit.name, number),
    "cancel": lambda visit, number, _form: actions.cancel(visit.name, number),
    "note": lambda visit, number, form: actions.add_note(visit.name, number, field(form, "note")),
}


def posted(path: str, act: Act, back: str) -> Route:
    return Route(f"{HOME}/{path}", action(act, back), methods=["POST"])


def routes(shell: Shell) -> list[BaseRoute]:
    """Everything under `/back-office`, and the pictures."""
    return [
        Mount("/images", images.ImageFiles()),
        *(
            Route(address, sign_in.backoffice_page(shell, page))
            for page, address in ADDRESSES.items()
            if address.startswith(HOME)
        ),
        Route(SIGN_IN, sign_in.show_sign_in, methods=["GET"]),
        Route(SIGN_IN, sign_in.post_sign_in, methods=["POST"]),
        Route(PRESENTER_SIGN_IN, post_presenter_sign_in, methods=["POST"]),
        Route("/back-office/sign-out", sign_in.post_sign_out, methods=["POST"]),
        Route("/back-office/orders.csv", export_orders, methods=["GET"]),
        *(
            posted(f"orders/{{number}}/{name}", on_order(act), "orders")
            for name, act in ORDER_ACTIONS.items()
        ),
    ]
