"""The storefront: everything a buyer sees, in one file.

Shown:
- `/`       the products, the running total, the one pay button, and the buyer's own orders
- `/order`  one order: what came of it, its lines and receipt, and the proof timeline
- `/go/…`   no page but the one way to Stripe: opens or resumes an order's Checkout

Streamlit runs this file as `__main__` once per visit and click; the server imports it once, for
the ASGI app at the foot. Nothing of value lives in the session: orders are in the database, the
cart is in the address, and who the buyer is in a cookie.
"""

import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from html import escape
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import streamlit as st
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store import buyers, catalog, checkout, db, errors, gateway, money, reconcile, reports
from store import settings as store_settings
from store.models import Product

SHOP = "Three Good Things"
IMAGES = store_settings.ROOT / "data" / "images"
STYLE = store_settings.ROOT / ".streamlit" / "storefront.css"
TICK_SECONDS = 1.0  # how soon a page notices what Stripe said
PATIENCE_SECONDS = 15  # how long something may wait before a button to ask Stripe appears
RECENT_ORDERS = 6
NUMBER_LENGTH = 64  # no order number is longer; what is, need not be looked up

# What one order's page says under its status.
HEADLINES = {
    "pending": "Not paid yet. You have not been charged.",
    "open": "Not paid yet. You have not been charged.",
    "processing": "Your bank is still working on this payment. This page follows it.",
    "paid": "Thank you. You were charged once.",
    "failed": "The payment did not go through. You have not been charged.",
    "expired": "The time to pay ran out. You have not been charged.",
    "canceled": "This order was cancelled. You have not been charged.",
    "partially_refunded": "Part of your money is on its way back.",
    "refunded": "All of your money is on its way back.",
    "disputed": "Your bank disputes this payment.",
    "review": "Something about this payment does not fit. The shop is looking at it.",
}

log = logging.getLogger("store.storefront")


@dataclass(frozen=True)
class Notice:
    """One sentence for the buyer, and the order it is about."""

    sentence: str
    tone: str = "blue"
    order: str | None = None


@dataclass(frozen=True)
class Question:
    """The buyer pressed Pay for what they bought moments ago."""

    sentence: str
    shown_amount: int


# --- who reads -----------------------------------------------------------------------------------


def buyer() -> str:
    """The hash of this browser's cookie, which is how the database knows whose an order is."""
    cookie = st.context.cookies.get(buyers.COOKIE, "")
    if not buyers.is_cookie(cookie):
        show(Notice("This shop knows you by a cookie. Allow cookies, then reload the page."))
        st.stop()
    return buyers.digest(cookie)


def store_url() -> str:
    """The address Stripe sends the buyer back to: the configured one, or the one in use."""
    visited = urlsplit(st.context.url or "http://localhost:8501")
    return store_settings.current().store_url or f"{visited.scheme}://{visited.netloc}"


def price(amount: int, currency: str) -> str:
    return money.text(amount, currency, st.context.locale)


def reader_locale() -> Locale:
    try:
        return Locale.parse(st.context.locale or "en-US", sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "US")


def reader_zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ValueError, OSError, KeyError):
        return UTC


def moment(at: datetime, *, seconds: bool = False) -> str:
    """A time as the buyer's clock and locale have it, with UTC when pointed at."""
    locale, zone = reader_locale(), reader_zone()
    local = at.astimezone(zone)
    day = (
        format_skeleton("MMMd", local, locale=locale)
        if local.year == datetime.now(zone).year
        else format_date(local, "medium", locale)
    )
    clock = format_time(local, "medium" if seconds else "short", locale=locale)
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f'<time datetime="{at.isoformat()}" title="{utc}">{escape(f"{day}, {clock}")}</time>'


# --- pieces --------------------------------------------------------------------------------------


def masthead() -> None:
    """The shop's name, and whether any of this could be real money (it never is)."""
    if store_settings.current().offline:
        mode, hint = "Offline emulator", "No Stripe account, no network, no money."
    else:
        account = gateway.account()
        mode = f"Stripe test mode acct …{account[-4:]}" if account else "Stripe test mode"
        hint = "Test cards only. No money moves."
    st.html(
        f'<header class="masthead"><a class="brand" href="/">{SHOP}</a>'
        f'<span class="mode" title="{hint}">{escape(mode)}</span></header>'
    )


def show(notice: Notice | None) -> None:
    """Say it literally: a sentence may quote what a product or a person is called."""
    if notice is None:
        return
    link = f' <a href="{order_link(notice.order)}">See the order</a>' if notice.order else ""
    st.html(
        f'<p class="notice {notice.tone}" role="status">{escape(notice.sentence)}{link}</p>',
    )


def order_link(number: str) -> str:
    return f"/order?number={quote(number, safe='')}"


def go_link(number: str) -> str:
    return f"/go/{quote(number, safe='')}"


def badge(status: str, *, size: str = "") -> str:
    """A status as glyph and word, so that it never depends on colour alone."""
    shown = reports.STATUS_BADGES[status]
    return (
        f'<span class="status {size} {shown.tone}"><span aria-hidden="true">{shown.glyph}</span>'
        f" {escape(shown.word)}</span>"
    )


def product_card(product: Product) -> int:
    """One product with its quantity, which lives in the address and so survives a reload."""
    with st.container(border=True, key=f"card-{product.slug}"):
        st.html(
            f'<div class="product"><img src="/images/{quote(product.image, safe="")}" alt="">'
            f"<div><h3>{escape(product.name)}</h3><p>{escape(product.description)}</p></div></div>"
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<p class="price">{price(product.unit_amount, product.currency)}</p>')
            quantity = st.number_input(
                f"Quantity of {product.name}",
                min_value=0,
                max_value=catalog.MAX_QUANTITY,
                step=1,
                key=product.slug,
                bind="query-params",
                on_change=forget,
                required=True,
                label_visibility="collapsed",
                width=124,
            )
    return int(quantity or 0)


def till(who: str, products: list[Product], cart: dict[str, int]) -> None:
    """What it comes to, and the one button that says so."""
    total = catalog.total_amount(products, cart)
    currency = store_settings.current().currency
    leaving = st.session_state.pop("leaving", None)
    with st.container(border=True, key="till", gap="small"):
        st.html(cart_table(products, cart, total, currency))
        show(st.session_state.get("notice"))
        if leaving:
            st.button("Opening Stripe…", type="primary", disabled=True, width="stretch")
            leave(leaving)
            return
        amount = f" {price(total, currency)}" if total else ""
        st.button(
            f"Pay{amount} with Stripe (test)",
            type="primary",
            width="stretch",
            disabled=not cart,
            on_click=pay,
            args=(who, cart, total),
            key="pay",
        )
        st.caption(
            "You pay on Stripe's page with a test card. No money moves."
            if cart
            else "Your cart is empty. Choose a quantity first."
        )


def cart_table(products: list[Product], cart: dict[str, int], total: int, currency: str) -> str:
    lines = (catalog.Line(p, cart[p.slug]) for p in products if p.slug in cart)
    rows = "".join(
        f"<tr><td>{line.quantity} × {escape(line.product.name)}</td>"
        f"<td>{price(line.amount, currency)}</td></tr>"
        for line in lines
    )
    return (
        f'<h2>Your cart</h2><table class="sums"><tbody>{rows}</tbody><tfoot>'
        f'<tr><th scope="row">Total</th><td role="status">{price(total, currency)}</td></tr>'
        f"</tfoot></table>"
    )


def leave(number: str) -> None:
    """Take this tab to Stripe; the token makes a second click a new script for the browser."""
    run_script(f"window.location.assign({json.dumps(go_link(number))})")


def run_script(source: str) -> None:
    token = secrets.token_hex(4)
    st.html(f"<script>{source} // {token}</script>", unsafe_allow_javascript=True)


# --- clicks --------------------------------------------------------------------------------------


def forget() -> None:
    """The cart changed, so what was said about the last one is over."""
    for name in ("notice", "question"):
        st.session_state.pop(name, None)


def pay(who: str, cart: dict[str, int], shown_amount: int, again: bool = False) -> None:
    """Place the order for what the button said; the page then leaves for Stripe."""
    forget()
    if {slug: st.session_state.get(slug, quantity) for slug, quantity in cart.items()} != cart:
        say(Notice("Your cart has just changed. Look at the new total, then press Pay again."))
        return
    try:
        st.session_state.leaving = checkout.place(
            who, cart, shown_amount=shown_amount, store_url=store_url(), again=again
        )
    except errors.JustBought as question:
        st.session_state.question = Question(str(question), shown_amount)
    except errors.OtherOrderPaid as news:
        say(Notice(str(news), "green", news.number))
    except errors.StoreError as error:
        say(Notice(str(error), "orange"))


def say(notice: Notice) -> None:
    st.session_state.notice = notice


def cancel(who: str, number: str) -> None:
    """Cancel at Stripe first; where Stripe says it is paid after all, the order says so."""
    st.session_state.pop("cancelling", None)
    try:
        checkout.cancel(who, number)
        with db.reading() as session:
            order = reports.order_of(session, who, number)
    except errors.StoreError as error:
        say(Notice(str(error), "orange", number))
        return
    if order.status == "canceled":
        say(Notice("The order is cancelled. You have not been charged."))
    else:
        word = reports.STATUS_BADGES[order.status].word.lower()
        say(Notice(f"The order could not be cancelled any more: it is {word}.", "orange", number))


def stop_asking() -> None:
    for name in ("question", "cancelling"):
        st.session_state.pop(name, None)


@st.dialog("Buy the same again?", on_dismiss=stop_asking)
def ask_again(who: str, cart: dict[str, int], question: Question) -> None:
    st.text(question.sentence)
    with st.container(horizontal=True):
        if st.button("Buy again", type="primary"):
            pay(who, cart, question.shown_amount, again=True)
            st.rerun()
        if st.button("No, once is enough"):
            stop_asking()
            st.rerun()


@st.dialog("Cancel this order?", on_dismiss=stop_asking)
def ask_to_cancel(who: str, number: str) -> None:
    st.text(f"Order {number} can then no longer be paid. You have not been charged.")
    with st.container(horizontal=True):
        if st.button("Cancel the order", type="primary"):
            cancel(who, number)
            st.rerun()
        if st.button("Keep it"):
            stop_asking()
            st.rerun()


def cancel_button(number: str, label: str = "Cancel") -> None:
    """Asks in a dialog, which only the whole page can open, not the part that refreshes."""
    if st.button(label, key=f"cancel-{number}", type="tertiary"):
        st.session_state.cancelling = number
        st.rerun()


# --- pages ---------------------------------------------------------------------------------------


def shop() -> None:
    """What is sold, what it comes to, and what this buyer ordered before."""
    who = buyer()
    with db.reading() as session:
        products = catalog.on_sale(session)
    refill(who, products)
    goods, side = st.columns([3, 1.15], gap="medium")
    with goods:
        with st.container(key="goods"):
            quantities = {product.slug: product_card(product) for product in products}
    cart = {slug: quantity for slug, quantity in quantities.items() if quantity}
    with side:
        till(who, products, cart)
    if question := st.session_state.get("question"):
        ask_again(who, cart, question)
    elif number := st.session_state.get("cancelling"):
        ask_to_cancel(who, number)
    st.html('<h2 id="my-orders">My orders</h2>')
    with db.reading() as session:
        waiting = any(order.is_waiting for order in reports.orders_of(session, who))
    st.fragment(my_orders, run_every=TICK_SECONDS if waiting else None)(who, waiting)


def refill(who: str, products: list[Product]) -> None:
    """Back from Stripe without paying: put that order's cart into the address once more."""
    if "resume" not in st.query_params:
        return
    number = st.query_params["resume"]
    del st.query_params["resume"]
    try:
        order = find(who, number)
    except errors.OrderNotFound:
        return
    if not order.is_payable:
        word = reports.STATUS_BADGES[order.status].word.lower()
        say(Notice(f"Order {number} is {word}.", order=number))
        return
    for product in products:
        quantity = order.cart.get(product.slug, 0)
        st.session_state[product.slug] = min(quantity, catalog.MAX_QUANTITY)
    say(Notice("Your cart is as you left it. You have not been charged."))


def find(who: str, number: str) -> reports.OrderView:
    """The buyer's order of this number; a stranger's and a made-up one answer alike."""
    if not (number.isascii() and number.isprintable() and len(number) <= NUMBER_LENGTH):
        raise errors.OrderNotFound
    with db.reading() as session:
        return reports.order_of(session, who, number)


def my_orders(who: str, polling: bool) -> None:
    """The buyer's orders, newest first; refreshes itself while Stripe may still say something."""
    try:
        with db.reading() as session:
            orders = reports.orders_of(session, who)
    except errors.DatabaseUnavailable as error:
        show(Notice(str(error), "orange"))
        return
    if polling and not any(order.is_waiting for order in orders):
        st.rerun()  # the whole page, which then no longer asks for refreshing
    if not orders:
        st.caption("No orders yet. Your first one will appear here and update itself.")
        return
    with st.container(key="orders", gap=None):
        for order in orders[:RECENT_ORDERS]:
            order_row(order)
    if older := orders[RECENT_ORDERS:]:
        with st.expander(f"{len(older)} older"), st.container(key="older-orders", gap=None):
            for order in older:
                order_row(order)


def order_row(order: reports.OrderView) -> None:
    link = order_link(order.number)
    items = ", ".join(f"{item.quantity} × {item.name}" for item in order.items)
    way_on = (
        f'<a href="{go_link(order.number)}">Continue payment</a>'
        if order.is_payable
        else f'<a href="{link}" aria-label="Receipt of order {order.number}">Receipt</a>'
        if order.paid_at
        else f'<a href="{link}" aria-label="Details of order {order.number}">Details</a>'
    )
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"row-{order.number}"
    ):
        st.html(
            f'<div class="order"><a class="number" href="{link}">{order.number}</a>'
            f'<span class="when">{moment(order.created_at)}</span>'
            f'<span class="items" title="{escape(items)}">{escape(items)}</span>'
            f'<span class="amount">{price(order.total_amount, order.currency)}</span>'
            f"{badge(order.status)}"
            f'<span class="way-on">{way_on}</span></div>'
        )
        with st.container(width=76, key=f"act-{order.number}"):
            if order.is_payable:
                cancel_button(order.number)


def order() -> None:
    """One order. Coming back from Stripe asks Stripe once; looking again only reads."""
    who = buyer()
    number = st.query_params.get("number", "")
    returning = "session_id" in st.query_params
    if returning:
        del st.query_params["session_id"]  # so that a reload only reads
    try:
        found = find(who, number)
    except errors.OrderNotFound as error:
        show(Notice(f"{error} It may belong to another browser."))
        st.html('<p><a href="/">Back to the shop</a></p>')
        return
    if returning and found.is_waiting:
        settle(who, found)
        found = find(who, number)
    if st.session_state.get("cancelling") == number:
        ask_to_cancel(who, number)
    st.fragment(order_view, run_every=TICK_SECONDS if found.is_waiting else None)(
        who, number, found.is_waiting
    )


def settle(who: str, order: reports.OrderView) -> None:
    """Ask Stripe now; where it does not answer, the webhook or the reconciler will."""
    place = st.empty()
    with place:
        st.html(
            f'<div class="verdict"><span class="status big blue">'
            f'<span aria-hidden="true">◔</span> Confirming…</span>'
            f"<p>Asking Stripe about order {order.number}.</p></div>"
        )
    try:
        checkout.settle(who, order.number)
        st.session_state.pop("notice", None)
    except errors.StripeError:
        say(Notice("Stripe has not answered yet. This page follows your order by itself."))
    place.empty()


def order_view(who: str, number: str, polling: bool) -> None:
    """Everything about one order, top to bottom; refreshes itself while it may still change."""
    try:
        order = find(who, number)
    except errors.DatabaseUnavailable as error:
        show(Notice(str(error), "orange"))
        return
    if polling and not order.is_waiting:
        st.session_state.pop("notice", None)
        st.rerun()
    story, proof = st.columns([1.5, 1], gap="large")
    with story:
        st.html(verdict(order))
        show(st.session_state.get("notice"))
        order_actions(who, order)
        st.html(receipt(order))
        st.html(references(order))
    with proof:
        st.html(timeline(order))


def verdict(order: reports.OrderView) -> str:
    return (
        f'<div class="verdict" role="status">{badge(order.status, size="big")}'
        f"<p>{HEADLINES[order.status]}</p></div>"
    )


def order_actions(who: str, order: reports.OrderView) -> None:
    """What the buyer can do next; nothing here happens by itself."""
    with st.container(horizontal=True, vertical_alignment="center", key="actions"):
        links = []
        if order.is_payable:
            links.append(f'<a class="main" href="{go_link(order.number)}">Continue payment</a>')
        if order.receipt_url:
            links.append(f'<a href="{escape(order.receipt_url)}">Stripe\'s receipt</a>')
        links.append('<a href="/">Back to the shop</a>')
        st.html(f'<p class="links">{"".join(links)}</p>', width="content")
        if order.paid_at and st.button("Print", icon=":material/print:", type="tertiary"):
            run_script("window.print()")
        if order.is_payable:
            cancel_button(order.number, "Cancel this order")
        age = datetime.now(UTC) - order.created_at
        if order.is_waiting and age.total_seconds() > PATIENCE_SECONDS:
            st.button("Check with Stripe now", on_click=check, args=(who, order.number))


def check(who: str, number: str) -> None:
    try:
        checkout.settle(who, number)
        say(Notice("Stripe was asked just now; this is what it says."))
    except errors.StoreError as error:
        say(Notice(str(error), "orange"))


def receipt(order: reports.OrderView) -> str:
    """The lines at the prices of the click, and what came of the total."""
    currency = order.currency
    rows = "".join(
        f"<tr><td>{escape(item.name)}</td><td>{item.quantity} × "
        f"{price(item.unit_amount, currency)}</td><td>{price(item.amount, currency)}</td></tr>"
        for item in order.items
    )
    refunded = (
        f'<tr><th scope="row" colspan="2">Refunded</th>'
        f"<td>−{price(order.refunded_amount, currency)}</td></tr>"
        if order.refunded_amount
        else ""
    )
    return (
        f'<h1>Order {order.number}</h1><p class="quiet">{moment(order.created_at)}'
        f"{' · receipt to ' + escape(order.email) if order.email else ''}</p>"
        f'<table class="sums lines"><tbody>{rows}</tbody><tfoot><tr><th scope="row" colspan="2">'
        f"Total</th><td>{price(order.total_amount, currency)}</td></tr>{refunded}</tfoot></table>"
    )


def references(order: reports.OrderView) -> str:
    names = {"Checkout Session": order.checkout_session_id, "Payment": order.payment_intent_id}
    rows = "".join(
        f"<dt>{name}</dt><dd><code>{escape(value)}</code></dd>"
        for name, value in names.items()
        if value
    )
    return f'<dl class="references">{rows or "<dt>Not at Stripe yet</dt>"}</dl>'


def timeline(order: reports.OrderView) -> str:
    """The proof: who said what about this order, in the order it was written down."""
    rows = "".join(
        f'<li>{moment(row.at, seconds=True)}<p><b>{escape(row.action)}</b> '
        f'<span class="source">{escape(row.source)}</span></p>'
        f'<p class="detail">{escape(row.detail)}</p></li>'
        for row in order.log
    )
    return f'<h2>Timeline</h2><ol class="timeline">{rows}</ol>'


def main() -> None:
    """One run of the page."""
    st.set_page_config(page_title=SHOP, page_icon=str(IMAGES / "mark.svg"), layout="wide")
    st.html(STYLE)
    pages = [
        st.Page(shop, title=SHOP, default=True),
        st.Page(order, title=f"Your order · {SHOP}", url_path="order"),
    ]
    page = st.navigation(pages, position="hidden")
    masthead()
    try:
        page.run()
    except errors.DatabaseUnavailable as error:
        show(Notice(f"{error} This page comes back by itself.", "orange"))
        st.fragment(wait_for_database, run_every=2)()
    except errors.StoreError as error:
        show(Notice(str(error), "orange"))


def wait_for_database() -> None:
    try:
        with db.reading() as session:
            catalog.on_sale(session)
    except errors.DatabaseUnavailable:
        return
    st.rerun()


# --- the server around the page ------------------------------------------------------------------

QUIET_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
PLAIN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{shop}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 2rem;
  font: 1.05rem/1.5 system-ui, sans-serif; color: light-dark(#23262b, #edeae2);
  background: light-dark(#fbf9f4, #15181a) }}
main {{ max-width: 32rem }} h1 {{ font: 600 1.6rem/1.2 Georgia, serif }}
a {{ color: light-dark(#1d5c4a, #7cccb1); margin-right: 1.25rem }}
</style><main><h1>{shop}</h1><p>{sentence}</p><p>{links}</p></main></html>"""


class BuyerCookie:
    """Gives every browser its private random name when it first opens a page.

    The answer to a page carries the cookie, so the page's own connection back already brings it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not opens_a_page(scope):
            await self.app(scope, receive, send)
            return
        if buyers.is_cookie(Request(scope).cookies.get(buyers.COOKIE, "")):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", cookie_header(scope))
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def opens_a_page(scope: Scope) -> bool:
    """True for what a person opens; scripts, pictures and health checks need no name."""
    headers = Headers(scope=scope)
    destination = headers.get("sec-fetch-dest")
    if destination:
        return destination in ("document", "iframe")
    return "text/html" in headers.get("accept", "")


def cookie_header(scope: Scope) -> str:
    over_https = "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))
    return (
        f"{buyers.COOKIE}={buyers.new_cookie()}; Path=/; Max-Age={buyers.COOKIE_SECONDS}; "
        f"HttpOnly; SameSite=Lax{'; Secure' if over_https else ''}"
    )


def go(request: Request) -> Response:
    """The one way to Stripe: to this order's Checkout, or to its page where that is over."""
    cookie, number = request.cookies.get(buyers.COOKIE, ""), request.path_params["number"]
    try:
        if not buyers.is_cookie(cookie):
            raise errors.OrderNotFound
        address = checkout.open_checkout(buyers.digest(cookie), number)
    except errors.OrderNotFound as error:
        return plain_page(str(error), error.status)
    except errors.StoreError as error:
        return plain_page(str(error), error.status, number)
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})


def plain_page(sentence: str, status: int, number: str | None = None) -> HTMLResponse:
    links = {"Back to the shop": "/"}
    if number:
        links = {
            "Try again": go_link(number),
            "Back to the shop": f"/?resume={quote(number, safe='')}",
        }
    anchors = " ".join(f'<a href="{escape(where)}">{name}</a>' for name, where in links.items())
    body = PLAIN_PAGE.format(shop=SHOP, sentence=escape(sentence), links=anchors)
    return HTMLResponse(body, status, headers=QUIET_HEADERS)


def incident(error: Exception) -> str:
    """Write an unexpected error to the log under a short id, and return what people are told."""
    name = secrets.token_hex(4)
    log.error("Unexpected error %s", name, exc_info=error)
    return f"Something went wrong here. You can reload the page; if it stays, quote error {name}."


def script_failed(error: Exception) -> bool:
    show(Notice(incident(error), "red"))
    return True


async def request_failed(_request: Request, error: Exception) -> Response:
    return plain_page(incident(error), 500)


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Where only this process runs, it still brings the schema up to date and settles orders."""
    stop = threading.Event()
    threading.Thread(target=keep_books, args=(stop,), name="reconciler", daemon=True).start()
    yield
    stop.set()


def keep_books(stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            db.migrate()
        except errors.StoreError as error:
            log.warning("%s Trying again.", error)
            stop.wait(3)
        else:
            reconcile.run_forever(stop)
            return


def middleware() -> list[Middleware]:
    hosts = store_settings.current().allowed_hosts
    trusted = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)] if hosts else []
    return [*trusted, Middleware(BuyerCookie)]


if __name__ == "__main__":
    main()
else:
    app = st.App(
        __file__,
        routes=[
            Route("/go/{number}", go, methods=["GET"]),
            Mount("/images", StaticFiles(directory=IMAGES)),
        ],
        middleware=middleware(),
        lifespan=lifespan,
        on_script_error=script_failed,
        exception_handlers={Exception: request_failed},
    )
