"""`/go/{number}`: the redirect to Stripe Checkout, and the validation of the shop's URLs."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from store.catalog import products
from store.core import errors
from store.orders import checkout
from store.reports import order_detail
from store.storefront import prefetch
from store.web import rendering
from store.web.buyer_cookie import buyer_of
from store.web.responses import error_text, plain_page

OTHER_PARAMETERS = ("resume", "again", "embed")
PARAMETERS = (*OTHER_PARAMETERS, products.QUANTITY_PREFIX)
QUANTITIES = frozenset(map(str, range(products.MAX_QUANTITY + 1)))


def canonical_cart_url(request: Request) -> str | None:
    """The shop's URL with valid quantities only; None where it is valid already.

    Streamlit would read "٣" as 3 and five thousand digits as infinity. Products without the prefix,
    as in URLs of earlier versions, get it.
    """
    parameters = request.query_params.multi_items()
    valid = [
        (name if name.startswith(PARAMETERS) else products.quantity_key(name), value)
        for name, value in parameters
        if value in QUANTITIES or name.startswith(OTHER_PARAMETERS)
    ]
    return None if valid == parameters or request.url.path != "/" else f"/?{urlencode(valid)}"


def go(request: Request) -> Response:
    """Redirect to the order's Checkout Session, or to its page once it cannot be paid any more."""
    number = request.path_params["number"]
    try:
        if not order_detail.is_number(number):
            raise errors.OrderNotFound
        buyer = buyer_of(request) or ""
        refreshed = prefetch.URL_PREFETCH.wait(buyer, number)
        address = checkout.checkout_url(buyer, number, refreshed=refreshed)
    except errors.OrderNotFound as error:
        return plain_page(f"{error} It may belong to another browser.", error.status)
    except errors.StoreError as error:
        links = {"Try again": rendering.go_link(number), "Back to the shop": f"/?resume={number}"}
        return plain_page(error_text(error), error.status, links)
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
