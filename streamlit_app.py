"""The storefront: everything a buyer sees, in one file.

Shown:
- `/`       the products, the running total, the one pay button, and the buyer's own orders
- `/order`  one order: what came of it, its lines and receipt, and the proof timeline
- `/rehearsal`  troubles made on purpose, for a presenter; only where the emulator plays Stripe
- `/back-office…`  overview, orders, products, webhooks, reconciliation, behind a password: see
  `store/backoffice/pages.py`
- `/go/…`   no page but the one way to Stripe: opens or resumes an order's Checkout

Streamlit runs this file as `__main__` once per visit and click; the server imports it once, for
the ASGI app at the foot. Nothing of value lives in the session: orders are in the database, the
cart is in the address, and who the buyer is in a cookie.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from store import server
from store import settings as store_settings
from store.settings import MOTTO, SHOP

if __name__ == "__main__":  # the server does without these while it starts
    server.load()
    from store import (
        buyers,
        catalog,
        checkout,
        cookies,
        db,
        door,
        errors,
        guard,
        kept,
        markup,
        money,
        proof,
        reports,
        shelves,
        views,
    )
    from store.backoffice import auth, pages_common
    from store.backoffice import pages as backoffice
    from store.demo import page as demo_page
    from store.demo import runner as demo_runner
    from store.notices import DATABASE_DOWN, Notice, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STYLE = "storefront.css"
TICK_SECONDS = 1.0  # how soon a page notices what Stripe said
PATIENCE_SECONDS = 15  # how long something may wait before a button to ask Stripe appears
FRONTEND = Path(st.__file__).parent / "static" / "index.html"  # Streamlit's own page
# The browser looks for `#my-orders` before the page has it.
MY_ORDERS = """<h2 id="my-orders">My orders</h2>
<script>if (location.hash === "#my-orders")
  document.getElementById("my-orders").scrollIntoView()</script>"""
NOTHING_YET = "No orders yet. Your first one appears here and updates itself."
ELSEWHERE = "It may belong to another browser."
# The same for a paid order, a stranger's and a made-up number: nothing of an order is told.
RETURNED_ELSEWHERE = (
    "If you have just paid, your payment is safe: Stripe reports it to this shop by itself, "
    "and the order is shown in the browser it was placed in."
)
CART_ELSEWHERE = "Your cart and your orders are shown in the browser that you chose them in."
PAYING = "You pay on Stripe's page with a test card. No money moves."

# --- who is here ---------------------------------------------------------------------------------


def buyer_cookie() -> str | None:
    return cookies.buyer_cookie(st.context.cookies, st.context.headers.get("Host", ""))


def buyer() -> str:
    """The hash of this browser's cookie, which is how the database knows whose an order is."""
    cookie = buyer_cookie()
    if cookie is None:
        show(Notice("This shop knows you by a cookie. Allow cookies, then reload the page."))
        st.stop()
    return buyers.digest(cookie)


@cache  # Streamlit makes all of this file anew for each run, and asking it takes its time
def reader() -> markup.Reader:
    return markup.Reader.of(st.context.locale, st.context.timezone)


def store_url() -> str:
    """The address Stripe sends the buyer back to: `STORE_URL`, or the one that was visited.

    `st.context.url` would be what the page's own messages say, so a script could lead the buyer
    (and a session id) to any site.
    """
    visited = st.context.headers.get(guard.ADDRESS_HEADER)
    return store_settings.current().store_url or visited or "http://localhost:8501"


# --- pieces --------------------------------------------------------------------------------------


def put(name: str, script: str = "", **values: Any) -> None:
    """Write one piece of HTML; every value in it is shown literally. A script comes with it."""
    html = markup.Html(markup.piece(name, reader(), **values) + script)
    st.html(html, unsafe_allow_javascript=bool(script))


def masthead() -> None:
    """The shop's name, and whether any of this could be real money (it never is)."""
    put("masthead", shop=SHOP, motto=MOTTO, **door.mode())


def show(notice: Notice | None) -> None:
    if notice:
        put("notice", sentence=notice.sentence, tone=notice.tone, order=notice.order)


def product_card(product: catalog.Sold) -> int:
    """One product with its quantity, which lives in the address and so survives a reload."""
    with st.container(border=True, key=f"card-{product.slug}"):
        put("product", product=product)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            put("price", amount=product.unit_amount, currency=product.currency)
            quantity = st.number_input(
                f"Quantity of {product.name}",
                min_value=0,
                max_value=catalog.MAX_QUANTITY,
                step=1,
                key=catalog.quantity_key(product.slug),
                bind="query-params",
                on_change=forget,
                required=True,
                label_visibility="collapsed",
                width=124,
            )
    return int(quantity or 0)


def till(who: str, products: list[catalog.Sold], cart: dict[str, int]) -> None:
    """What it comes to, and the one button that says so.

    A fragment, so that whoever goes to Stripe waits for no other part of the page.
    """
    total = catalog.total_amount(products, cart)
    currency = store_settings.current().currency
    lines = tuple(catalog.Line(p, cart[p.slug]) for p in products if cart[p.slug])
    leaving = st.session_state.pop("leaving", None)
    go = markup.leaving(leaving) if leaving else ""
    with st.container(border=True, key="till"):
        put("cart", go, lines=lines, total=total, currency=currency)
        show(st.session_state.get("notice"))
        if leaving:
            st.button("Opening Stripe…", type="primary", disabled=True, width="stretch")
            put("leaving", number=leaving)
            door.LEAVING.begin(who, leaving)  # last: the browser's way there is its time
            return
        amount = f" {reader().price(total, currency)}" if lines else ""
        limit = (
            money.limit(total, currency, reader().language) if lines else str(errors.EmptyCart())
        )
        if st.button(
            f"Pay{amount} with Stripe (test)",
            type="primary",
            width="stretch",
            disabled=bool(limit),
            on_click=pay,
            args=(who, cart, total),
            key="pay",
        ):
            st.rerun()  # still here: the whole page has news
        put("hint", sentence=limit or PAYING)


def following(part: Callable[..., None], waiting: bool, *given: Any) -> None:
    """A part of the page that looks again by itself while something in it is `waiting`."""
    if waiting:
        st.fragment(part, run_every=TICK_SECONDS)(*given)
        return
    with st.container():  # as a fragment has one, so that everything stays in its place
        part(*given)


# --- clicks --------------------------------------------------------------------------------------


def forget() -> None:
    """The cart changed, so what was said about the last one is over."""
    for name in ("notice", "question"):
        st.session_state.pop(name, None)


def pay(who: str, cart: dict[str, int], shown_amount: int, again: bool = False) -> None:
    """Place the order for what the button said; the page then leaves for Stripe."""
    forget()
    current = {
        slug: st.session_state.get(catalog.quantity_key(slug), quantity)
        for slug, quantity in cart.items()
    }
    if current != cart:
        say(Notice("Your cart has just changed. Look at the new total, then press Pay again."))
        return
    try:
        st.session_state.leaving = checkout.place(
            who, cart, shown_amount=shown_amount, store_url=store_url(), again=again
        )
    except errors.JustBought as question:
        st.session_state.question = Question(str(question), shown_amount)
    except errors.OtherOrderPaid as news:
        say(Notice(str(news), "good", news.number))
    except errors.StoreError as error:
        say(Notice(door.told(error), "warning"))


def say(notice: Notice | None) -> None:
    st.session_state.notice = notice


def cancel(who: str, number: str) -> None:
    """Cancel at Stripe first; where Stripe says it is paid after all, the order says so."""
    st.session_state.pop("cancelling", None)
    try:
        checkout.cancel(who, number)
        order = find(who, number).order
    except errors.OtherOrderPaid:
        say(Notice("Too late to cancel: this order has just been paid.", "good", number))
        return
    except errors.StoreError as error:
        say(Notice(door.told(error), "warning", number))
        return
    if order.status == "canceled":
        say(Notice(f"Order {number} is canceled."))
    else:
        word = views.STATUS_BADGES[order.status].word.lower()
        say(Notice(f"The order could not be canceled any more: it is {word}.", "warning", number))


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
    st.text(f"Order {number} can then no longer be paid.")
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
        products, shelf = catalog.on_sale(session), kept.shelf(session, who)
    refill(who, products)
    goods, side = st.columns([3, 1.15], gap="medium")
    with goods, st.container(key="goods"):
        cart = {product.slug: product_card(product) for product in products}
    with side:
        st.fragment(till)(who, products, cart)
    if question := st.session_state.get("question"):
        ask_again(who, cart, question)
    elif number := st.session_state.get("cancelling"):
        ask_to_cancel(who, number)
    st.html(MY_ORDERS, unsafe_allow_javascript=True)
    following(my_orders, shelf.is_waiting, who, shelf.is_waiting, [shelf])


def refill(who: str, products: list[catalog.Sold]) -> None:
    """Back from Stripe without paying: put that order's cart into the address once more."""
    number = st.query_params.get("resume")
    if number is None:
        return
    cart: dict[str, str] = {}
    try:
        order = find(who, number).order
    except errors.OrderNotFound:
        notice = Notice(CART_ELSEWHERE)
    else:
        if order.is_payable:
            sold = {product.slug for product in products}
            cart = {
                catalog.quantity_key(slug): str(count)
                for slug, count in order.cart.items()
                if slug in sold
            }
            notice = Notice("Your cart is as you left it. You have not been charged.")
        else:
            word = views.STATUS_BADGES[order.status].word.lower()
            notice = Notice(f"Order {number} is {word}.", order=number)
    try:
        st.query_params.from_dict(cart)
    except StreamlitAPIException:  # the browser's own Back: this page and its cart are in use
        return
    say(notice)
    st.rerun()


def find(who: str, number: str) -> reports.Story:
    """The buyer's order of this number; a stranger's and a made-up one answer alike."""
    if not door.is_number(number):
        raise errors.OrderNotFound
    with db.reading() as session:
        return kept.story(session, who, number)


def find_with_owner(who: str, number: str) -> tuple[str, reports.Story]:
    """An order of this visitor or of their rehearsal, which buys under a name of its own."""
    try:
        return who, find(who, number)
    except errors.OrderNotFound:
        rehearsing = demo_runner.rehearsal_buyer(who)
        return rehearsing, find(rehearsing, number)


def my_orders(who: str, polling: bool, read: list[shelves.Shelf]) -> None:
    """The buyer's orders, newest first; refreshes itself while Stripe may still say something."""
    try:
        with db.reading() as session:  # at first there is what the page has just read
            shelf = read.pop() if read else kept.shelf(session, who)
            if polling and not shelf.is_waiting:
                st.rerun()  # the whole page, which then no longer asks for refreshing
            put("tally", tally=shelf.tally)
            if shelf.orders:
                order_rows(shelf, partial(shelves.orders_of, session, who))
            else:
                put("hint", sentence=NOTHING_YET)
                st.html(demo_page.first_visit_hint())
    except errors.DatabaseUnavailable:
        show(DATABASE_DOWN)
        return
    if polling:
        put("live", at=datetime.now(UTC))


def order_rows(shelf: shelves.Shelf, ask: Callable[..., Sequence[views.OrderView]]) -> None:
    """The newest orders; older ones are read a page at a time, once somebody opens them."""
    status = chosen(shelf.choices) if shelf.choices else ""
    shown = ask(status) if status else shelf.orders
    with st.container(key="orders", gap=None):
        for order in shown:
            order_row(order)
    if (left := shelf.count(status) - len(shown)) > 0:
        drawer = st.expander(f"{left} older", key="older", on_change="rerun")
        pages = st.session_state.get("pages", 1)
        older = ask(status, shown, pages * shelves.PAGE) if drawer.open else ()
        with drawer, st.container(key="older-orders", gap=None):
            for order in older:
                order_row(order)
        if drawer.open and len(older) < left:
            more = {"pages": pages + 1}
            drawer.button("Show more", key="more", on_click=st.session_state.update, kwargs=more)


def chosen(choices: Sequence[str]) -> str:
    """The one status that the buyer wants to see, or "" for all."""
    return st.selectbox(
        "Show",
        ["", *choices],
        format_func=lambda name: views.STATUS_BADGES[name].word if name else "All orders",
        key="status",
        width=220,
        on_change=st.session_state.pop,
        args=("pages", None),
    )


def order_row(order: views.OrderView) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"row-{order.number}"):
        put("order_row", order=order)
        if order.is_payable:
            with st.container(key=f"act-{order.number}"):
                cancel_button(order.number)


def order() -> None:
    """One order. Coming back from Stripe asks Stripe once; looking again only reads."""
    if "session_id" in st.query_params and buyer_cookie() is None:
        show(Notice(RETURNED_ELSEWHERE))
    who = buyer()
    number = st.query_params.get("number", "")
    try:
        who, found = find_with_owner(who, number)
    except errors.OrderNotFound as error:
        returned = "session_id" in st.query_params
        show(Notice(f"{RETURNED_ELSEWHERE} {error}" if returned else f"{error} {ELSEWHERE}"))
        put("back")
        return
    if "session_id" in st.query_params:
        settle(who, found.order)
        found = find(who, number)
        del st.query_params["session_id"]  # so that a reload only reads
    if st.session_state.get("cancelling") == number:
        ask_to_cancel(who, number)
    waiting = found.order.is_waiting
    following(order_view, waiting, who, number, waiting, [found])


def settle(who: str, order: views.OrderView) -> None:
    """Back from Stripe; where the webhook was faster, that is only noted."""
    place = st.empty()
    with place:
        put("confirming", order=order)
    ask_stripe(who, order.number)
    place.empty()


def ask_stripe(who: str, number: str) -> None:
    """Ask how the order stands. Without an answer nothing is claimed: the webhook or the
    reconciler will tell, and the page is watching.
    """
    st.session_state.pop("unconfirmed", None)
    say(None)
    try:
        door.settle(who, number)
    except (errors.StripeError, errors.DatabaseUnavailable):
        st.session_state.unconfirmed = number
        say(Notice("Stripe has not answered yet. This page follows your order by itself."))


def order_view(who: str, number: str, polling: bool, read: list[reports.Story]) -> None:
    """Everything about one order, top to bottom; refreshes itself while it may still change."""
    try:
        story = read.pop() if read else find(who, number)
    except errors.DatabaseUnavailable:
        show(DATABASE_DOWN)
        return
    order = story.order
    if polling and not order.is_waiting:
        st.session_state.pop("notice", None)
        st.rerun()
    put("tally", tally=story.tally, here=number)
    said, proven = st.columns([1.35, 1], gap="large")
    with said:
        if order.is_waiting and st.session_state.get("unconfirmed") == number:
            put("confirming", order=order)
        else:
            put("verdict", order=order, sentence=markup.sentence_of(order))
        show(st.session_state.get("notice"))
        order_actions(who, order)
        with st.container(border=True, key="receipt"):
            put("receipt", order=order)
    with proven, st.container(key="proof"):
        steps, text, data = story.steps, proof.as_text(story), proof.as_json(story)
        given = {"number": number, "steps": steps, "text": text, "data": data}
        st.html(markup.piece("timeline", reader(), **given), unsafe_allow_javascript=True)
        if polling:
            put("live", at=datetime.now(UTC))
        else:
            st.button("Look again", key="look", type="tertiary")


def order_actions(who: str, order: views.OrderView) -> None:
    """What the buyer can do next; nothing here happens by itself."""
    with st.container(horizontal=True, vertical_alignment="center", key="actions"):
        st.html(markup.piece("order_links", reader(), order=order), width="content")
        if order.is_payable:
            cancel_button(order.number, "Cancel this order")
        age = datetime.now(UTC) - order.created_at
        if order.is_waiting and age.total_seconds() > PATIENCE_SECONDS:
            st.button("Check with Stripe now", on_click=check, args=(who, order.number))


def check(who: str, number: str) -> None:
    ask_stripe(who, number)
    if "unconfirmed" not in st.session_state:
        say(Notice("Stripe was asked just now, and this is what it says."))


def rehearsal() -> None:
    demo_page.show(buyer(), store_url(), may_rehearse)


def may_rehearse() -> bool:
    """True on this computer and for a signed-in operator; asked again by each click.

    The rehearsal makes trouble for every buyer and deletes their orders.
    """
    try:
        pages_common.current_operator()
    except auth.NotSignedIn:
        return st.context.headers.get(guard.LOCAL_HEADER) == "yes"
    return True


def main() -> None:
    """One run of the page."""
    st.set_page_config(layout="wide")
    st.html(markup.style(STYLE))
    pages = [
        st.Page(shop, title=SHOP, default=True),
        st.Page(order, title=f"Your order · {SHOP}", url_path="order"),
        st.Page(rehearsal, title=f"Rehearsal · {SHOP}", url_path="rehearsal"),
        *backoffice.pages(),
    ]
    page = st.navigation(pages, position="hidden")
    masthead()
    try:
        page.run()
    except errors.DatabaseUnavailable:
        show(DATABASE_DOWN)
        st.fragment(wait_for_database, run_every=2)()
    except errors.StoreError as error:
        show(Notice(door.told(error), "warning"))


def wait_for_database() -> None:
    try:
        with db.reading() as session:
            catalog.on_sale(session)
    except errors.DatabaseUnavailable:
        return
    st.rerun()


# --- the server around the page ------------------------------------------------------------------


def script_failed(error: Exception) -> bool:
    """What a person sees of an error nobody expected: a short name for it, and a way on."""
    from store import door, markup  # noqa: PLC0415 - as above

    told = markup.piece("notice", sentence=door.incident(error), tone="bad", order=None)
    for html in (markup.style(STYLE), told, markup.piece("back")):
        st.html(html)
    return True


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, on_script_error=script_failed, **server.around(FRONTEND))
