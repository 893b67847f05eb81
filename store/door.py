"""What surrounds the storefront's pages: the one way to Stripe, and the way back."""

import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from store import catalog, checkout, db, errors, gateway, markup, reports, settings, shell
from store.cookies import buyer_of

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 30
EARLY_SECONDS = 0.3  # how long a page is held back, so that it can say what came of a payment
REMEMBERED = 1000  # questions whose browser never came to fetch the answer
FRESH_SECONDS = 10  # an answer from before that may no longer be true
KEPT = ("resume", "again", "embed")
NAMES = (*KEPT, catalog.QUANTITY_PREFIX)
QUANTITIES = frozenset(map(str, range(catalog.MAX_QUANTITY + 1)))
NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")
PLAIN_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Account:
    """Whose test mode this is, learnt beside the pages so that none ever waits for it."""

    id: str | None = None

    def learn(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.id = gateway.account()
                return
            except errors.StripeError as error:
                log.warning("The Stripe account is not known yet: %s", error)
                stop.wait(ASK_AGAIN_SECONDS)


ACCOUNT = Account()


def mode() -> dict[str, Any]:
    """The badge that says that no real money can move, what it means, and the address of the
    emulator's pages where it stands in for Stripe.
    """
    if settings.current().offline:
        hint = "No Stripe account, no network, no money."
        return {"mode": "Offline emulator", "hint": hint, "emulator": settings.current().api_base}
    known = ACCOUNT.id
    badge = f"Stripe test mode acct …{known[-4:]}" if known else "Stripe test mode"
    return {"mode": badge, "hint": "Test cards only. No money moves.", "emulator": None}


class HeadStart:
    """Asks Stripe about a buyer's order while their browser is still on its way to the answer."""

    def __init__(self, ask: Callable[[str, str], object]) -> None:
        self.ask = ask
        self.pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="head start")
        self.begun: dict[tuple[str, str], tuple[float, Future[object]]] = {}
        self.lock = threading.Lock()

    def begin(self, buyer: str, number: str) -> Future[object]:
        with self.lock:
            at, asked = self.begun.pop((buyer, number), (0.0, None))
            if asked is None or asked.done():
                at, asked = time.monotonic(), self.pool.submit(self.ask, buyer, number)
            self.begun[buyer, number] = at, asked
            while len(self.begun) > REMEMBERED:
                del self.begun[next(iter(self.begun))]
        return asked

    def finish(self, buyer: str, number: str) -> bool:
        """Wait for what was begun; False where nothing was lately, or it never got its turn.

        Raises:
            OrderNotFound, StripeError, DatabaseUnavailable
        """
        with self.lock:
            at, asked = self.begun.pop((buyer, number), (0.0, None))
        if asked is None or asked.cancel() or time.monotonic() - at > FRESH_SECONDS:
            return False
        asked.result()
        return True


RETURNING = HeadStart(checkout.settle)
LEAVING = HeadStart(checkout.open_checkout)


def notice_return(request: Request) -> Future[object] | None:
    """A page is opened; where that is the way back from Stripe, begin to ask."""
    buyer, number = buyer_of(request), request.query_params.get("number", "")
    if "session_id" not in request.query_params or not buyer or not is_number(number):
        return None
    return RETURNING.begin(buyer, number)


def settle(buyer: str, number: str) -> None:
    """Wait for what was asked on the way in, or else ask now.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
    """
    if not RETURNING.finish(buyer, number):
        checkout.settle(buyer, number)


def tidied(request: Request) -> str | None:
    """The shop's address without quantities nobody could have chosen; None where all is well.

    Left in, "٣" would be read as 3, and five thousand digits as infinity. Addresses of earlier
    versions name a product without the prefix; they are brought up to date.
    """
    given = request.query_params.multi_items()
    kept = [
        (name if name.startswith(NAMES) else catalog.quantity_key(name), value)
        for name, value in given
        if value in QUANTITIES or name.startswith(KEPT)
    ]
    return None if kept == given or request.url.path != "/" else f"/?{urlencode(kept)}"


def outcome(request: Request) -> str:
    """What came of the order of whoever is back from Stripe, where that can be said at once.

    Streamlit needs a second to load before it can say anything, which is long for somebody who
    has just paid. As the page does, this says what the database holds, to whose order it is.
    """
    if not (asked := notice_return(request)):
        return ""
    wait([asked], EARLY_SECONDS)
    try:
        with db.reading() as session:
            number = request.query_params["number"]
            order = reports.order_of(session, buyer_of(request) or "", number)
    except errors.StoreError:
        return ""
    if order.is_waiting:
        return ""
    sentence = markup.sentence_of(order)
    return markup.first_piece("outcome", mode=mode(), order=order, sentence=sentence)


def is_number(text: str) -> bool:
    """True for what an order could be called; anything else need not be looked up."""
    return NUMBER.fullmatch(text) is not None


def go(request: Request) -> Response:
    """To this order's Checkout at Stripe, or to its own page where that is over."""
    number = request.path_params["number"]
    try:
        if not is_number(number):
            raise errors.OrderNotFound
        buyer = buyer_of(request) or ""
        looked = LEAVING.finish(buyer, number)
        address = checkout.open_checkout(buyer, number, looked=looked)
    except errors.OrderNotFound as error:
        return plain_page(f"{error} It may belong to another browser.", error.status)
    except errors.StoreError as error:
        links = {"Try again": markup.go_link(number), "Back to the shop": f"/?resume={number}"}
        return plain_page(told(error), error.status, links)
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})


def plain_page(sentence: str, status: int, links: dict[str, str] | None = None) -> HTMLResponse:
    """A sentence and a way on, without Streamlit."""
    links = links or {"Back to the shop": "/"}
    heading = "Not found" if status == HTTPStatus.NOT_FOUND else "That did not work"
    body = markup.plain_page(
        mode=mode(), styles=shell.styles(), heading=heading, sentence=sentence, links=links
    )
    return HTMLResponse(body, status, headers=PLAIN_HEADERS)


def told(error: errors.StoreError) -> str:
    """An expected error in words; one that the shop should look into also names its log line."""
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return str(error)
    name = secrets.token_hex(4)
    log.warning("Told a buyer %s: %s", name, error, extra={"incident": name})
    return f"{error} If it stays, quote {name}."


def incident(error: Exception) -> str:
    """Write an unexpected error to the log under a short id, and return what people are told."""
    name = secrets.token_hex(4)
    log.error("Unexpected error %s", name, exc_info=error, extra={"incident": name})
    return f"Something went wrong here. Reload the page; if it stays, quote error {name}."
