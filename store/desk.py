"""What operators do, over HTTP: every click of the back office that changes something.

Pages only show. What changes something is a POST from one of our own pages, by a session that
is valid at that very moment; the answer is a redirect, so that no reload repeats it.
"""

from collections.abc import Awaitable, Callable
from itertools import chain
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from store import (
    assortment,
    door,
    entrance,
    export,
    listing,
    markup,
    office_pages,
    operations,
    pictures,
)
from store.bookkeeping import KEEPER
from store.entrance import ENTRANCE, HOME, NOT_KEPT
from store.errors import StoreError
from store.office import OFFICE, Visit
from store.shell import Shell

LARGEST_FORM = 1536 * 1024  # a picture and its product
Act = Callable[[Request, Visit, FormData], str]


def action(act: Act, back: str = HOME) -> Callable[[Request], Awaitable[Response]]:
    """An address that does `act` for whoever is signed in now, and then leads to a page."""

    async def do(request: Request) -> Response:
        try:
            entrance.from_here(request)
            visit = OFFICE.visit(entrance.cookie_of(request))
            entrance.fits(request, LARGEST_FORM)
        except StoreError as error:
            return sign_in_first(error, page_of(request, back))
        form = await request.form(max_files=1, max_fields=20)
        try:
            there = await run_in_threadpool(act, request, visit, form)
        except StoreError as error:
            visit.say(error.for_operator, "warning")
            there = page_of(request, back)
        return RedirectResponse(there, 303, headers=NOT_KEPT)

    return do


def page_of(request: Request, back: str) -> str:
    """The page that a click came from."""
    number = request.path_params.get("number")
    return order_page(number) if number else back


def sign_in_first(error: StoreError, page: str) -> Response:
    """Why nothing was done, and the way to the same page through the sign-in."""
    way_in = entrance.way_in(QueryParams(urlsplit(page).query))
    return door.plain_page(error.for_operator, error.status, {"Sign in": way_in})


# --- what can be done ----------------------------------------------------------------------------


def field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def order_page(number: str) -> str:
    return f"{HOME}?order={quote(number, safe='')}"


def on_order(act: Callable[[Visit, str, FormData], str]) -> Act:
    """Something done to one order, whose page then says what came of it."""

    def do(request: Request, visit: Visit, form: FormData) -> str:
        number = request.path_params["number"]
        visit.say(act(visit, number, form))
        return order_page(number)

    return do


def refund(visit: Visit, number: str, form: FormData) -> str:
    amount, key, left = (field(form, name) for name in ("amount", "key", "left"))
    return operations.refund(visit.name, number, amount, key=key, shown_left=left)


def save_product(request: Request, visit: Visit, form: FormData) -> str:
    """A new product, or an old one changed; a picture that is brought goes before a chosen one."""
    brought, image = form.get("brought"), field(form, "image")
    if isinstance(brought, UploadFile) and brought.size:
        image = pictures.keep(brought.file.read(pictures.LARGEST_BYTES + 1))
    written = assortment.Form(
        name=field(form, "product_name"),
        description=field(form, "description"),
        price=field(form, "price"),
        image=image,
        active="active" in form,
        seen=field(form, "seen"),
    )
    slug = request.path_params.get("slug", "")
    visit.say(operations.save_product(visit.name, slug, written))
    return f"{HOME}?view=products"


def look_again(request: Request, visit: Visit, form: FormData) -> str:
    visit.say(operations.look_again(visit.name, request.path_params["event"]))
    there = field(form, "back")
    return there if there.startswith(f"{HOME}?") else HOME


def keep_books(begin: Callable[[str], None]) -> Act:
    """Something that takes a while: its page shows how far it is."""

    def do(_request: Request, visit: Visit, _form: FormData) -> str:
        begin(visit.name)
        return f"{HOME}?view=books"

    return do


def export_orders(request: Request) -> Response:
    """The orders of a filter as CSV, sent while they are read."""
    try:
        OFFICE.visit(entrance.cookie_of(request))
    except StoreError as error:
        return sign_in_first(error, f"{HOME}?view=orders&{request.url.query}")
    reader = markup.Reader.of(None, request.query_params.get("zone"))
    batches = listing.batches(office_pages.wanted(request.query_params, reader))
    try:
        first = next(batches)  # before a 200 is sent, which could not be taken back
    except StoreError as error:
        return door.plain_page(error.for_operator, error.status)
    return StreamingResponse(
        export.stream(chain([first], batches)),
        media_type="text/csv; charset=utf-8",
        headers=NOT_KEPT
        | {
            "Content-Disposition": 'attachment; filename="orders.csv"',
            "X-Content-Type-Options": "nosniff",
        },
    )


ORDER_ACTIONS: dict[str, Callable[[Visit, str, FormData], str]] = {
    "refund": refund,
    "refund-again": lambda visit, number, form: operations.retry_refund(
        visit.name, number, field(form, "refund")
    ),
    "refund-off": lambda visit, number, form: operations.call_off_refund(
        visit.name, number, field(form, "refund")
    ),
    "ask": lambda visit, number, _form: operations.ask(visit.name, number),
    "cancel": lambda visit, number, _form: operations.cancel(visit.name, number),
    "note": lambda visit, number, form: operations.note(visit.name, number, field(form, "note")),
}


def posted(path: str, act: Act, back: str) -> Route:
    return Route(f"{HOME}/{path}", action(act, back), methods=["POST"])


def routes(shell: Shell) -> list[BaseRoute]:
    """Everything under `/back-office`, and the pictures."""
    return [
        Mount("/images", pictures.Pictures()),
        Route(HOME, entrance.enter(shell)),
        Route(ENTRANCE, entrance.show_sign_in, methods=["GET"]),
        Route(ENTRANCE, entrance.sign_in, methods=["POST"]),
        Route("/back-office/sign-out", entrance.sign_out, methods=["POST"]),
        Route("/back-office/orders.csv", export_orders, methods=["GET"]),
        *(
            posted(f"orders/{{number}}/{name}", on_order(act), f"{HOME}?view=orders")
            for name, act in ORDER_ACTIONS.items()
        ),
        posted("products", save_product, f"{HOME}?view=products"),
        posted("products/{slug}", save_product, f"{HOME}?view=products"),
        posted("books/reconcile", keep_books(KEEPER.reconcile), f"{HOME}?view=books"),
        posted("books/compare", keep_books(KEEPER.compare), f"{HOME}?view=books"),
        posted("events/{event}/again", look_again, f"{HOME}?view=webhooks"),
    ]
