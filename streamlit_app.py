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

from store.core import settings as store_settings
from store.core import shop_profile
from store.storefront import server

if __name__ == "__main__":  # the server does without these while it starts
    server.load()
    from store.backoffice import auth, pages_common
    from store.backoffice import pages as backoffice
    from store.catalog import products as catalog
    from store.core import errors
    from store.db import engine as db
    from store.demo import page as demo_page
    from store.demo import runner as demo_runner
    from store.orders import checkout
    from store.reports import my_orders, order_detail, timeline_export
    from store.reports import order_view as views
    from store.reports.cart import PAY_HINT, Cart, restore_cart
    from store.storefront import checkout_redirect, early_result, prefetch
    from store.web import buyer_cookie as cookies
    from store.web import buyer_ids, guard, notices, rendering, responses, stripe_mode
    from store.web.notices import Notice, RepeatPurchasePrompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STYLE = "storefront.css"
TICK_SECONDS = 1.0  # how soon a page notices what Stripe said
FRONTEND = Path(st.__file__).parent / "static" / "index.html"  # Streamlit's own page


def buyer_cookie() -> str | None:
    return cookies.buyer_cookie(st.context.cookies, st.context.headers.get("Host", ""))


def buyer() -> str:
    """The hash of this browser's cookie, which is how the database knows whose an order is."""
    cookie = buyer_cookie()
    if cookie is None:
        show(notices.NO_COOKIES)
        st.stop()
    return buyer_ids.digest(cookie)


@cache  # Streamlit makes all of this file anew for each run, and asking it takes its time
def reader() -> rendering.Reader:
    return rendering.Reader.of(st.context.locale, st.context.timezone)


def store_url() -> str:
    """Where Stripe sends the buyer back to: `STORE_URL`, or the address that was visited.

    Not `st.context.url`: that is what the page's messages say, so a script could change it.
    """
    visited = st.context.headers.get(guard.ADDRESS_HEADER)
    return store_settings.current().store_url or visited or "http://localhost:8501"


def put(name: str, script: str = "", **values: Any) -> None:
    """Write one piece of HTML; every value in it is shown literally. A script comes with it."""
    html = rendering.Html(rendering.piece(name, reader(), **values) + script)
    st.html(html, unsafe_allow_javascript=bool(script))


def show(notice: Notice | None) -> None:
    if notice:
        put("notice", sentence=notice.sentence, tone=notice.tone, order=notice.order)


def say(notice: Notice) -> None:
    """Show a notice at its place until it is dismissed; one at an order also in the corner."""
    st.session_state.update(notice=notice, toast=notice.at_order and notice.sentence)


def toast() -> None:
    if sentence := st.session_state.pop("toast", None):
        st.toast(rendering.literal(sentence), duration="long")


def dismiss_button() -> None:
    if st.button("Dismiss", key="dismiss", type="tertiary"):
        forget()
        st.rerun()


def product_card(product: catalog.ProductForSale) -> None:
    """One product with its quantity, which lives in the address and so survives a reload.

    No bounds: Streamlit would keep a number outside them in the browser, unknown to the cart.
    """
    with st.container(border=True, key=f"card-{product.slug}"):
        put("product", product=product)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            price = st.empty()
            quantity = st.number_input(
                f"Quantity of {product.name}",
                min_value=None,
                value=0,
                step=1,
                key=catalog.quantity_key(product.slug),
                bind="query-params",
                on_change=forget,
                required=True,
                label_visibility="collapsed",
            )
            with price:
                put("price", product=product, most=catalog.MAX_QUANTITY, quantity=quantity)


def cart_of(products: Sequence[catalog.ProductForSale], orders: my_orders.MyOrders) -> Cart:
    """What is chosen at this moment, at the prices that the page shows."""
    chosen = {p.slug: st.session_state.get(catalog.quantity_key(p.slug)) or 0 for p in products}
    return Cart.of(products, chosen, orders.open_order)


def cart_panel(
    who: str, products: Sequence[catalog.ProductForSale], orders: my_orders.MyOrders
) -> None:
    """The chosen lines, their total, and the one button to pay; its reasons stand under it.

    A fragment, so that leaving for Stripe waits for no other part of the page.
    """
    cart = cart_of(products, orders)
    leaving = st.session_state.pop("leaving", None)
    with st.container(border=True, key="cart"):
        put("cart", rendering.leaving(leaving) if leaving else "", cart=cart)
        with st.container(key="pay-bar"):
            put("total", cart=cart)
            if leaving:
                st.button("Opening Stripe…", type="primary", disabled=True, width="stretch")
                put("leaving", number=leaving)
                prefetch.URL_PREFETCH.start(
                    who, leaving
                )  # last: the browser's way there is its time
                return
            refusal = cart.error(reader().language)
            if st.button(
                cart.button_label(reader().price(cart.total, cart.currency)),
                type="primary",
                width="stretch",
                disabled=bool(refusal),
                on_click=pay,
                args=(who, products, orders),
                key="pay",
            ):
                st.rerun()  # still here: the whole page has news
            with st.container(key="pay-note", horizontal=True):
                pay_note(cart, refusal)


def pay_note(cart: Cart, refusal: str) -> None:
    """What the last press came to, and why the button cannot be pressed or what it will do."""
    notice = st.session_state.get("notice")
    if notice and not notice.at_order:
        show(notice)
        dismiss_button()
    if refusal:
        put("hint", sentence=refusal)
    elif old := cart.replaced_order:
        price = reader().price(old.total_amount, old.currency)
        put("hint", sentence=f"Paying for this cart cancels your unpaid order of {price}.")
    elif not notice:
        put("hint", sentence=PAY_HINT, usual=True)


def following(part: Callable[..., None], waiting: bool, *given: Any) -> None:
    """A part of the page that looks again by itself while something in it is `waiting`."""
    if waiting:
        st.fragment(part, run_every=TICK_SECONDS)(*given)
        return
    with st.container():  # as a fragment has one, so that everything stays in its place
        part(*given)


def forget() -> None:
    """The cart changed, so what was said about the last one is over."""
    for name in ("notice", "toast", "question"):
        st.session_state.pop(name, None)


def pay(
    who: str,
    products: Sequence[catalog.ProductForSale],
    orders: my_orders.MyOrders,
    prompt: RepeatPurchasePrompt | None = None,
) -> None:
    """Place the order for what is chosen at this moment; the page then leaves for Stripe.

    The amount is that of the shown prices, so a price that changed meanwhile is refused; of the
    open orders only one that the page showed is replaced.
    """
    forget()
    cart = cart_of(products, orders)
    if cart.error(reader().language):
        return  # the page says it beside the button and the field
    total = prompt.shown_amount if prompt else cart.total
    try:
        st.session_state.leaving = checkout.place(
            who,
            cart.quantities,
            shown_amount=total,
            store_url=store_url(),
            again=prompt is not None,
            may_replace={order.number for order in orders.orders},
        )
    except errors.JustBought as bought:
        st.session_state.question = RepeatPurchasePrompt(str(bought), total)
    except errors.OtherOrderPaid as paid:
        say(Notice(str(paid), "good", paid.number))
    except errors.StoreError as error:
        say(Notice(responses.error_text(error), "warning"))


def cancel(who: str, number: str) -> None:
    """Cancel at Stripe first; where Stripe says it is paid after all, the order says so."""
    st.session_state.pop("cancelling", None)
    sentence, tone = "Canceled. You have not been charged.", "waiting"
    try:
        checkout.cancel(who, number)
        order = find(who, number).order
        if order.status != "canceled":
            word = order.buyer_word.lower()
            sentence, tone = f"This order could not be canceled any more: {word}.", "warning"
    except errors.OtherOrderPaid:
        sentence, tone = "Too late to cancel: this order has just been paid.", "good"
    except errors.StoreError as error:
        sentence, tone = responses.error_text(error), "warning"
    say(Notice(sentence, tone, number, at_order=True))


def stop_asking() -> None:
    for name in ("question", "cancelling"):
        st.session_state.pop(name, None)


def close_dialog(answered: bool, no: str) -> None:
    refused = st.button(no)
    if refused:
        stop_asking()
    if answered or refused:
        st.rerun()


@st.dialog("Buy the same again?", on_dismiss=stop_asking)
def ask_again(
    who: str,
    products: Sequence[catalog.ProductForSale],
    orders: my_orders.MyOrders,
    prompt: RepeatPurchasePrompt,
) -> None:
    put("question", sentence=prompt.sentence)
    with st.container(horizontal=True):
        if yes := st.button("Buy again", type="primary"):
            pay(who, products, orders, prompt)
        close_dialog(yes, "No, once is enough")


@st.dialog("Cancel this order?", on_dismiss=stop_asking)
def ask_to_cancel(who: str, number: str) -> None:
    put("question", sentence=f"Order {number} can then no longer be paid.")
    with st.container(horizontal=True):
        if yes := st.button("Cancel the order", key="danger-cancel"):
            cancel(who, number)
        close_dialog(yes, "Keep it")


def cancel_button(number: str, label: str = "Cancel") -> None:
    """Asks in a dialog, which only the whole page can open, not the part that refreshes."""
    if st.button(label, key=f"cancel-{number}", type="tertiary"):
        st.session_state.cancelling = number
        st.rerun()


def shop() -> None:
    """What is sold, what it comes to, and what this buyer ordered before."""
    who = buyer()
    with db.reading() as session:
        products = catalog.active_products(session)
    orders = my_orders.of_buyer(who)
    refill_cart(who, products)
    with st.container(key="shop"):
        with st.container(key="goods"):
            for product in products:
                product_card(product)
        with st.container(key="side"):
            st.fragment(cart_panel)(who, products, orders)
        with st.container(key="past"):
            st.html('<h2 id="my-orders">My orders</h2>')
            in_cart = cart_of(products, orders).continues_open_order
            following(orders_panel, orders.is_waiting, who, orders.is_waiting, in_cart, [orders])
    toast()
    if prompt := st.session_state.get("question"):
        ask_again(who, products, orders, prompt)
    elif number := st.session_state.get("cancelling"):
        ask_to_cancel(who, number)


def refill_cart(who: str, products: Sequence[catalog.ProductForSale]) -> None:
    """Put an order's cart into the address: one left unpaid (`resume`), or one to buy `again`."""
    name = "resume" if "resume" in st.query_params else "again"
    number = st.query_params.get(name)
    if number is None:
        return
    quantities: dict[str, int] = {}
    try:
        order = find(who, number).order
    except errors.OrderNotFound:
        notice = notices.CART_ELSEWHERE
    else:
        notice = Notice(f"Your order {number}: {order.buyer_word.lower()}.", order=number)
        if name == "again" or order.is_payable:
            quantities, changes = restore_cart(order, products, reader().price)
            notice = notices.refilled(changes, number if name == "again" else None)
    try:
        st.query_params.from_dict({catalog.quantity_key(s): str(n) for s, n in quantities.items()})
    except StreamlitAPIException:  # the browser's own Back: this page and its cart are in use
        return
    say(notice)
    st.rerun()


def find(who: str, number: str) -> order_detail.OrderDetail:
    """The buyer's order of this number; a stranger's and a made-up one answer alike."""
    if not checkout_redirect.is_number(number):
        raise errors.OrderNotFound
    return order_detail.of_buyer(who, number)


def find_with_owner(who: str, number: str) -> tuple[str, order_detail.OrderDetail]:
    """An order of this visitor or of their rehearsal, which buys under a name of its own."""
    try:
        return who, find(who, number)
    except errors.OrderNotFound:
        rehearsing = demo_runner.rehearsal_buyer(who)
        return rehearsing, find(rehearsing, number)


def orders_panel(who: str, polling: bool, in_cart: bool, read: list[my_orders.MyOrders]) -> None:
    """The buyer's orders, newest first; refreshes itself while Stripe may still say something.

    `in_cart`: the Pay button continues the open order, so its row offers no second way.
    """
    try:
        shelf = read.pop() if read else my_orders.of_buyer(who)  # the page has just read them
        if polling and not shelf.is_waiting:
            st.rerun()  # the whole page, which then no longer asks for refreshing
        if shelf.orders:
            order_rows(who, shelf, in_cart)
        else:
            put("hint", sentence=notices.NOTHING_YET)
            demo_page.show_first_visit_hint()
    except errors.DatabaseUnavailable:
        show(notices.DATABASE_DOWN)
        return
    if polling:
        put("live", at=datetime.now(UTC))
    put("charge_summary", charges=shelf.charges)


def older_orders(
    who: str, status: str, exclude: Sequence[views.OrderView] = (), limit: int | None = None
) -> Sequence[views.OrderView]:
    with db.reading() as session:
        return my_orders.newest_orders(session, who, status, exclude, limit or my_orders.RECENT)


def order_rows(who: str, shelf: my_orders.MyOrders, in_cart: bool) -> None:
    """The newest orders; older ones are read a page at a time, once somebody opens them."""
    status = chosen_status(shelf) if shelf.filters else ""
    shown = older_orders(who, status) if status else shelf.orders
    with st.container(key="orders", gap=None):
        put("order_heads")
        for order in shown:
            order_row(order, in_cart)
    if (left := shelf.count(status) - len(shown)) > 0:
        drawer = st.expander(f"{left} older", key="older", on_change="rerun")
        pages = st.session_state.get("pages", 1)
        older = older_orders(who, status, shown, pages * my_orders.PAGE_SIZE) if drawer.open else ()
        with drawer, st.container(key="older-orders", gap=None):
            for order in older:
                order_row(order, in_cart)
        if drawer.open and len(older) < left:
            more = {"pages": pages + 1}
            drawer.button("Show more", key="more", on_click=st.session_state.update, kwargs=more)


def chosen_status(shelf: my_orders.MyOrders) -> str:
    """The one status that the buyer wants to see, or "" for all."""
    return st.pills(
        "Orders by status",
        ["", *shelf.filters],
        format_func=shelf.filter_label,
        default="",
        required=True,
        key="status",
        label_visibility="collapsed",
        on_change=st.session_state.pop,
        args=("pages", None),
    )


def order_row(order: views.OrderView, in_cart: bool) -> None:
    notice = st.session_state.get("notice")
    here = notice if notice and notice.at_order and notice.order == order.number else None
    with st.container(key=f"row-{order.number}"):
        put("order_row", order=order, in_cart=in_cart and order.is_payable, notice=here)
        if here:
            dismiss_button()
        elif order.is_payable:
            cancel_button(order.number)


def order() -> None:
    """One order. Coming back from Stripe asks Stripe once; looking again only reads."""
    if "session_id" in st.query_params and buyer_cookie() is None:
        show(Notice(notices.RETURNED_ELSEWHERE))
    who = buyer()
    number = st.query_params.get("number", "")
    try:
        who, found = find_with_owner(who, number)
    except errors.OrderNotFound as error:
        show(notices.order_not_here(error, returned="session_id" in st.query_params))
        put("back")
        return
    st.set_page_config(page_title=f"Order {number} · {shop_profile.current().name}")
    if "session_id" in st.query_params:
        with (place := st.empty()):
            put("confirming", order=found.order)
        ask_stripe(who, number, early_result.settle)
        place.empty()
        found = find(who, number)
        del st.query_params["session_id"]  # so that a reload only reads
    if st.session_state.get("cancelling") == number:
        ask_to_cancel(who, number)
    waiting = found.order.is_waiting
    following(order_view, waiting, who, number, waiting, [found])


def ask_stripe(who: str, number: str, ask: Callable[[str, str], None]) -> None:
    """Ask how the order stands. Without an answer nothing is claimed: the webhook or the
    reconciler will tell, and the page is watching.
    """
    st.session_state.pop("unconfirmed", None)
    forget()
    try:
        ask(who, number)
    except (errors.StripeError, errors.DatabaseUnavailable):
        st.session_state.unconfirmed = number
        say(Notice(notices.UNCONFIRMED, order=number, at_order=True))


def check(who: str, number: str) -> None:
    ask_stripe(who, number, partial(checkout.refresh_order, always=True))
    if "unconfirmed" not in st.session_state:
        say(Notice("Checked with Stripe just now.", order=number, at_order=True))


def order_view(who: str, number: str, polling: bool, read: list[order_detail.OrderDetail]) -> None:
    """Everything about one order, top to bottom; refreshes itself while it may still change."""
    try:
        story = read.pop() if read else find(who, number)
    except errors.DatabaseUnavailable:
        show(notices.DATABASE_DOWN)
        return
    order = story.order
    if polling and not order.is_waiting:
        st.session_state.pop("notice", None)
        st.rerun()
    toast()
    said, proven = st.columns([1.35, 1], gap="large")
    with said:
        if order.is_waiting and st.session_state.get("unconfirmed") == number:
            put("confirming", order=order)
        else:
            put("verdict", order=order, sentence=rendering.sentence_of(order))
        with st.container(key="order-note", horizontal=True, vertical_alignment="center"):
            order_note(polling)
        order_actions(who, order)
        with st.container(border=True, key="receipt"):
            put("receipt", order=order)
    with proven, st.container(key="proof"):
        steps, text, data = (
            story.entries,
            timeline_export.timeline_text(story),
            timeline_export.timeline_json(story),
        )
        given = {"number": number, "steps": steps, "text": text, "data": data}
        st.html(rendering.piece("timeline", reader(), **given), unsafe_allow_javascript=True)
    put("charge_summary", charges=story.charges, here=number)


def order_note(polling: bool) -> None:
    """One line that is always there: what a click came to, or that the page follows the order."""
    if notice := st.session_state.get("notice"):
        put("notice", sentence=notice.sentence, tone=notice.tone)
        dismiss_button()
    elif polling:
        put("live", at=datetime.now(UTC))
    else:
        put("hint", sentence="")


def order_actions(who: str, order: views.OrderView) -> None:
    """What the buyer can do next; nothing here happens by itself."""
    with st.container(horizontal=True, vertical_alignment="center", key="actions"):
        st.html(rendering.piece("order_links", reader(), order=order), width="content")
        if order.is_payable:
            cancel_button(order.number, "Cancel this order")
        st.button(
            "Check with Stripe",
            key="check",
            type="tertiary",
            on_click=check,
            args=(who, order.number),
        )


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
    st.set_page_config(layout="wide")  # a title here would hide those of the pages
    st.html(rendering.style(STYLE))
    profile = shop_profile.current()
    pages = [
        st.Page(shop, title=profile.name, default=True),
        st.Page(order, title=f"Your order · {profile.name}", url_path="order"),
        st.Page(rehearsal, title=f"Rehearsal · {profile.name}", url_path="rehearsal"),
        *backoffice.pages(),
    ]
    page = st.navigation(pages, position="hidden")
    masthead = {"shop": profile.name, "motto": profile.motto, **stripe_mode.mode_badge()}
    put("masthead", home=page.title == profile.name, **masthead)
    try:
        page.run()
    except errors.DatabaseUnavailable:
        show(notices.DATABASE_DOWN)
        st.fragment(wait_for_database, run_every=2)()
    except errors.StoreError as error:
        show(Notice(responses.error_text(error), "warning"))


def wait_for_database() -> None:
    try:
        with db.reading() as session:
            catalog.active_products(session)
    except errors.DatabaseUnavailable:
        return
    st.rerun()


# --- the server around the page ------------------------------------------------------------------


def script_failed(error: Exception) -> bool:
    """What a person sees of an error nobody expected: a short name for it, and a way on."""
    from store.web import rendering  # noqa: PLC0415

    told = rendering.piece(
        "notice", sentence=responses.log_unexpected(error), tone="bad", order=None
    )
    for html in (rendering.style(STYLE), told, rendering.piece("back")):
        st.html(html)
    return True


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, on_script_error=script_failed, **server.around(FRONTEND))
