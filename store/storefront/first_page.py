"""The first HTML of each page: what its visitor can read before Streamlit's scripts have come.

It is made of the page's own templates and drawn in the same places, so that nothing moves when
Streamlit's page takes its place.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from starlette.requests import Request

from store.catalog import products as catalog
from store.core import errors
from store.db import engine as db
from store.reports.cart import PAY_HINT, Cart
from store.storefront import early_result
from store.web import rendering, stripe_mode

EARLY_SECONDS = 0.3  # how long a database may keep the first HTML waiting
REHEARSAL = "/rehearsal"


class OnSale:
    """The products, read once for all visitors of the same moment.

    A database that does not answer would otherwise hold up every page, and every thread that
    pages have.
    """

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="first page")
        self.lock = threading.Lock()
        self.reading: Future[list[catalog.ProductForSale]] | None = None

    def read(self) -> list[catalog.ProductForSale]:
        """Wait a moment for the products.

        Raises:
            DatabaseUnavailable: or the moment was over.
            CatalogError
        """
        with self.lock:
            if self.reading is None or self.reading.done():
                self.reading = self.pool.submit(self.query)
            reading = self.reading
        try:
            return reading.result(EARLY_SECONDS)
        except TimeoutError:
            raise errors.DatabaseUnavailable from None

    @staticmethod
    def query() -> list[catalog.ProductForSale]:
        with db.reading() as session:
            return catalog.active_products(session)


PRODUCTS = OnSale()


def body(request: Request) -> str:
    """What can be read at once; "" where the database does not answer: then the page says so."""
    try:
        if request.url.path == "/":
            return shop(request)
        page = early_result.early_result_html(request) or rendering.first_piece(
            "page", mode=stripe_mode.mode_badge()
        )
        # The rehearsal's type is larger; drawn in the other, its masthead would move.
        return page + (rendering.style("rehearsal.css") if request.url.path == REHEARSAL else "")
    except errors.StoreError:
        return ""


def shop(request: Request) -> str:
    """The products and the cart of this address, as `streamlit_app.shop` draws them."""
    reader = rendering.Reader.of(language_of(request), None)
    products = PRODUCTS.read()
    cart = Cart.of(products, {p.slug: quantity_of(request, p.slug) for p in products})
    return rendering.first_piece(
        "shop_page",
        reader,
        mode=stripe_mode.mode_badge(),
        products=products,
        quantities=cart.quantities,
        most=catalog.MAX_QUANTITY,
        cart=cart,
        button=cart.button_label(reader.price(cart.total, cart.currency)),
        refusal=cart.error(reader.language),
        paying=PAY_HINT,
    )


def quantity_of(request: Request, slug: str) -> int:
    """As many as the address says; `door.tidied` has removed what no quantity can be."""
    return int(request.query_params.get(catalog.quantity_key(slug), 0))


def language_of(request: Request) -> str:
    """The language that the browser likes best, which is also what its pages say of it."""
    return request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
