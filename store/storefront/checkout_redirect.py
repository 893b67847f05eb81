"""`/go/ORDER`: the redirect to Stripe Checkout, and what its addresses may contain."""

import re
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from store.catalog import products
from store.core import errors
from store.orders import checkout
from store.storefront import prefetch
from store.web import rendering
from store.web.buyer_cookie import buyer_of
from store.web.responses import error_text, plain_page

KEPT = ("resume", "again", "embed")
NAMES = (*KEPT, products.QUANTITY_PREFIX)
QUANTITIES = frozenset(map(str, range(products.MAX_QUANTITY + 1)))
NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")


def canonical_cart_url(request: Request) -> str | None:
    """The shop's address with valid quantities only; None where the address is valid as it is.

    Left in, "٣" would be read as 3, and five thousand digits as infinity. Addresses of earlier
    versions name a product without the prefix; they are brought up to date.
    """
    given = request.query_params.multi_items()
    kept = [
        (name if name.startswith(NAMES) else products.quantity_key(name), value)
        for name, value in given
        if value in QUANTITIES or name.startswith(KEPT)
    ]
    return None if kept == given or request.url.path != "/" else f"/?{urlencode(kept)}"


def is_number(text: str) -> bool:
    """Whether this can be an order's number; anything else need not be looked up."""
    return NUMBER.fullmatch(text) is not None


def go(request: Request) -> Response:
    """Redirect to the order's Checkout Session, or to the order's page where that is over."""
    number = request.path_params["number"]
    try:
        if not is_number(number):
            raise errors.OrderNotFound
        buyer = buyer_of(request) or ""
        looked = prefetch.URL_PREFETCH.result(buyer, number)
        address = checkout.checkout_url(buyer, number, refreshed=looked)
    except errors.OrderNotFound as error:
        return plain_page(f"{error} It may belong to another browser.", error.status)
    except errors.StoreError as error:
        links = {"Try again": rendering.go_link(number), "Back to the shop": f"/?resume={number}"}
        return plain_page(error_text(error), error.status, links)
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
