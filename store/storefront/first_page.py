"""The first HTML of each page, which can be read before Streamlit's scripts have loaded.

Rendered by the page's own macros at the same places, so that nothing moves when Streamlit's page
replaces it. Measured with `bench first-visit` at 1.6 Mbit/s and 300 ms: the products can be read
after 0.5 s instead of 5.9 s. With the order's state in the page that Stripe returns to (`bench
time-to-paid`), *Paid* can be read 0.14 s after the return instead of 0.59 s.
"""

from collections.abc import Sequence
from concurrent.futures import Future, wait

from starlette.requests import Request

from store.catalog import products as catalog
from store.core import errors
from store.db import engine as db
from store.reports import order_detail
from store.reports.cart import PAY_HINT, Cart
from store.storefront import prefetch
from store.storefront.prefetch import Prefetcher
from store.web import formatting, rendering
from store.web.buyer_cookie import buyer_of

WAIT_SECONDS = 0.3  # how long the page is delayed for the products, or for Stripe's answer


def read_products() -> Sequence[catalog.ProductForSale]:
    with db.reading() as session:
        return catalog.active_products(session)


PRODUCTS = Prefetcher(read_products)  # so a database that does not answer blocks one thread only


def products_in_time() -> Sequence[catalog.ProductForSale]:
    """The products, read once for all visitors of the same moment.

    Raises CatalogError or DatabaseUnavailable, the latter also after `WAIT_SECONDS`.
    """
    try:
        products: Sequence[catalog.ProductForSale] = PRODUCTS.start().result(WAIT_SECONDS)
    except TimeoutError:
        raise errors.DatabaseUnavailable from None
    return products


def body(request: Request) -> str:
    """The HTML, or "" where the database does not answer; the page then shows the error."""
    try:
        if request.url.path == "/":
            return shop(request)
        return early_result(request) or rendering.render("first_page", "page")
    except errors.StoreError:
        return ""


def early_result(request: Request) -> str:
    """HTML with the order's state, or "" where the order still waits after `WAIT_SECONDS`.

    Like the page, it shows what the database holds, and only to the order's buyer.
    """
    if not (future := prefetch_on_return(request)):
        return ""
    wait([future], WAIT_SECONDS)
    try:
        order = order_detail.of_buyer(buyer_of(request) or "", request.query_params["number"]).order
    except errors.StoreError:
        return ""
    if order.is_waiting:
        return ""
    return rendering.render("first_page", "early_result", order=order)


def prefetch_on_return(request: Request) -> Future[object] | None:
    """Start to settle the order where the request is Stripe's return; None elsewhere."""
    buyer, number = buyer_of(request), request.query_params.get("number", "")
    if "session_id" not in request.query_params or not buyer or not order_detail.is_number(number):
        return None
    return prefetch.SETTLE_PREFETCH.start(buyer, number)


def shop(request: Request) -> str:
    """The products and the cart of this URL, as `streamlit_app.shop` renders them."""
    languages = request.headers.get("accept-language", "")  # the first is what Streamlit reports
    language = languages.split(",")[0].split(";")[0].strip()
    reader = formatting.LocaleFormatter.of(language, None)
    products = products_in_time()
    quantities = {  # `canonical_cart_url` has removed invalid ones
        product.slug: int(request.query_params.get(catalog.quantity_key(product.slug), 0))
        for product in products
    }
    return rendering.render(
        "first_page",
        "shop_page",
        reader,
        products=products,
        cart=Cart.of(products, quantities),
        most=catalog.MAX_QUANTITY,
        paying=PAY_HINT,
    )
