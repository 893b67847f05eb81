"""The first HTML of each page: what its visitor can read before Streamlit's scripts have come.

It is made of the page's own templates and drawn in the same places, so that nothing moves when
Streamlit's page takes its place.
"""

from starlette.requests import Request

from store import catalog, db, door, errors, markup, money, settings

PAYING = "You pay on Stripe's page with a test card. No money moves."


def body(request: Request) -> str:
    """What can be read at once; "" where the database does not answer: then the page says so."""
    try:
        if request.url.path == "/":
            return shop(request)
        return door.outcome(request) or first("page")
    except errors.StoreError:
        return ""


def shop(request: Request) -> str:
    """The products and the cart of this address, as `streamlit_app.shop` draws them."""
    reader = markup.Reader.of(language_of(request), None)
    with db.reading() as session:
        products = catalog.on_sale(session)
    quantities = {product.slug: quantity_of(request, product.slug) for product in products}
    lines = tuple(catalog.Line(p, quantities[p.slug]) for p in products if quantities[p.slug])
    total = catalog.total_amount(products, quantities)
    currency = settings.current().currency
    limit = money.limit(total, currency, reader.language) if lines else str(errors.EmptyCart())
    amount = f" {reader.price(total, currency)}" if lines else ""
    return first(
        "shop_page",
        reader,
        products=products,
        quantities=quantities,
        lines=lines,
        total=total,
        currency=currency,
        button=f"Pay{amount} with Stripe (test)",
        reason=limit or PAYING,
    )


def first(name: str, reader: markup.Reader | None = None, **values: object) -> str:
    return markup.first_piece(
        name, reader, shop=settings.SHOP, motto=settings.MOTTO, mode=door.mode(), **values
    )


def quantity_of(request: Request, slug: str) -> int:
    """As many as the address says; `door.tidied` has removed what no quantity can be."""
    return int(request.query_params.get(catalog.quantity_key(slug), 0))


def language_of(request: Request) -> str:
    """The language that the browser likes best, which is also what its pages say of it."""
    return request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
