"""The storefront: every page that a buyer sees, in one file.

- `/`            the products, the cart with the one Pay button, and the buyer's orders
- `/order`       one order: its status, items and receipt, and its timeline
- `/rehearsal`   faults on purpose, for a presenter; only where the emulator plays Stripe
- `/back-office…` overview, orders, products, webhooks, reconciliation: `store/backoffice/pages.py`
- `/go/…`        the redirect to Stripe Checkout: `store/storefront/checkout_redirect.py`

Streamlit runs this file as `__main__` for each visit and click; the server imports it once, for
the ASGI app at the end. Nothing of value lives in the session: orders are in the database, the
cart is in the URL, and the buyer's identity is in a cookie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, NamedTuple

import streamlit as st
from streamlit.errors import StreamlitAPIException

from store.core import settings as store_settings
from store.core import shop_profile
from store.storefront import server

if __name__ == "__main__":  # the server does without these while it starts
    server.import_heavy_modules()
    from store.backoffice import auth, pages_common
    from store.backoffice import pages as backoffice
    from store.catalog import products as catalog
    from store.core import errors
    from store.db import engine as db
    from store.demo import page as demo_page
    from store.demo import runner as demo_runner
    from store.orders import checkout
    from store.reports import my_orders, order_detail
    from store.reports.cart import PAY_HINT, Cart, restore_cart
    from store.reports.order_view import OrderView
    from store.storefront import prefetch
    from store.web import buyer_cookie, middleware, rendering, responses, stripe_mode, texts
    from store.web.formatting import LocaleFormatter
    from store.web.texts import Notice

REFRESH_SECONDS = 1.0

# Keys of st.session_state, beside the keys of widgets.
NOTICE, TOAST = "notice", "toast"
PROMPT = "repeat_purchase"  # the sentence and the total of the dialog that is open
CANCELING = "canceling"  # the number of the order whose cancel dialog is open
REDIRECTING = "redirecting"  # the number of the order whose Checkout is being opened
UNCONFIRMED = "unconfirmed"  # the number of an order about which Stripe did not answer
OLDER_PAGES = "older_pages"  # how many pages of older orders are shown
MESSAGES = (NOTICE, TOAST, PROMPT)


class Visit(NamedTuple):
    """What the shop's page has read; its widgets pass it on to what they do."""

    buyer: str
    products: Sequence[catalog.ProductForSale]
    orders: my_orders.MyOrders

    @property
    def cart(self) -> Cart:
        """The chosen quantities at the prices that the page shows."""
        keys = {product.slug: catalog.quantity_key(product.slug) for product in self.products}
        quantities = {slug: st.session_state.get(key) or 0 for slug, key in keys.items()}
        return Cart.of(self.products, quantities, self.orders.open_order)


def cookie() -> str | None:
    return buyer_cookie.read_cookie(st.context.cookies, st.context.headers.get("Host", ""))


def buyer_hash() -> str:
    """The hash of this browser's cookie, by which the database knows the buyer."""
    value = cookie()
    if value is None:
        show_notice(texts.NO_COOKIES)
        st.stop()
    return buyer_cookie.buyer_hash(value)


@cache  # per run, because Streamlit executes this file anew; in a module visitors would share it
def reader() -> LocaleFormatter:
    return LocaleFormatter.of(st.context.locale, st.context.timezone)


def store_url() -> str:
    """Where Stripe returns to: `STORE_URL`, or the address of the WebSocket's handshake.

    Not `st.context.url`, which comes from the page's messages and can be forged by a script.
    """
    visited = st.context.headers.get(middleware.ADDRESS_HEADER)
    return store_settings.current().store_url or visited or "http://localhost:8501"


def render(macro: str, script: str = "", *, has_script: bool = False, **values: Any) -> None:
    """Write one macro of the storefront's template; every value in it is escaped."""
    html = rendering.Html(rendering.render("storefront", macro, reader(), **values) + script)
    st.html(html, unsafe_allow_javascript=bool(script) or has_script)


def show_notice(notice: Notice) -> None:
    render("notice", sentence=notice.sentence, tone=notice.tone, order=notice.order)


def set_notice(notice: Notice) -> None:
    """Show a notice until it is dismissed; one at an order also as a toast."""
    st.session_state.update({NOTICE: notice, TOAST: notice.at_order and notice.sentence})


def show_toast() -> None:
    if sentence := st.session_state.pop(TOAST, None):
        st.toast(rendering.literal(sentence), duration="long")


def clear(*keys: str) -> None:
    for key in keys:
        st.session_state.pop(key, None)


close_dialogs = partial(clear, PROMPT, CANCELING)


def dismiss_button() -> None:
    if st.button("Dismiss", key="dismiss", type="tertiary"):
        clear(*MESSAGES)
        st.rerun()


def auto_refresh(
    draw: Callable[[Any, bool], None], read: Callable[[], Any], already_read: Any, *at_end: str
) -> None:
    """Draw what was read, and again every second while it `is_waiting`; then clear `at_end`.

    Otherwise it is no fragment, which would cost a tenth of the rerun.
    """
    waiting, first = already_read.is_waiting, [already_read]

    def part() -> None:
        try:
            drawn = first.pop() if first else read()
            if waiting and not drawn.is_waiting:
                clear(*at_end)
                st.rerun()  # the whole page, which then no longer refreshes
            draw(drawn, waiting)
        except errors.DatabaseUnavailable:
            show_notice(texts.DATABASE_DOWN)

    if waiting:
        st.fragment(part, run_every=REFRESH_SECONDS)()
        return
    with st.container():  # as a fragment has one, so that nothing moves afterwards
        part()


def shop() -> None:
    buyer = buyer_hash()
    with db.reading() as session:
        products = catalog.active_products(session)
    visit = Visit(buyer, products, my_orders.of_buyer(buyer))
    fill_cart_from_order(buyer, products)
    with st.container(key="shop"):
        with st.container(key="goods"):
            for product in products:
                product_card(product)
        with st.container(key="side"):
            st.fragment(cart_panel)(visit)
        with st.container(key="past"):
            st.html('<h2 id="my-orders">My orders</h2>')
            draw = partial(orders_panel, buyer, visit.cart.continues_open_order)
            auto_refresh(draw, partial(my_orders.of_buyer, buyer), visit.orders)
    show_toast()
    if prompt := st.session_state.get(PROMPT):
        repeat_purchase_dialog(visit, *prompt)
    elif order_number := st.session_state.get(CANCELING):
        cancel_dialog(buyer, order_number)


def fill_cart_from_order(buyer: str, products: Sequence[catalog.ProductForSale]) -> None:
    """Put an order's items into the cart: one left unpaid (`resume`), or one to buy `again`."""
    parameter = "resume" if "resume" in st.query_params else "again"
    order_number = st.query_params.get(parameter)
    if order_number is None:
        return
    quantities: dict[str, int] = {}
    try:
        order = order_detail.of_buyer(buyer, order_number).order
    except errors.OrderNotFound:
        notice = texts.CART_ELSEWHERE
    else:
        sentence = f"Your order {order_number}: {order.buyer_word.lower()}."
        notice = Notice(sentence, order=order_number)
        if parameter == "again" or order.is_payable:
            quantities, changes = restore_cart(order, products, reader().price)
            intro = texts.CART_AS_LEFT
            if parameter == "again":
                intro = f"Your cart is that of order {order_number}."
            notice = Notice(" ".join([intro, *changes]))
    try:
        st.query_params.from_dict({catalog.quantity_key(s): str(n) for s, n in quantities.items()})
    except StreamlitAPIException:  # after the browser's Back: this page and its cart are in use
        return
    set_notice(notice)
    st.rerun()


def product_card(product: catalog.ProductForSale) -> None:
    """One product with its quantity, which is kept in the URL and so survives a reload.

    Without bounds: Streamlit would keep a number outside them in the browser, unknown to the cart.
    """
    with st.container(border=True, key=f"card-{product.slug}"):
        render("product", product=product)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            price = st.empty()
            quantity = st.number_input(
                f"Quantity of {product.name}",
                min_value=None,
                value=0,
                step=1,
                key=catalog.quantity_key(product.slug),
                bind="query-params",
                on_change=clear,
                args=MESSAGES,
                required=True,
                label_visibility="collapsed",
            )
            with price:
                render("price", product=product, most=catalog.MAX_QUANTITY, quantity=quantity)


def cart_panel(visit: Visit) -> None:
    """The cart's lines and total, the Pay button, and why it is disabled or what it will do.

    A fragment, so that the redirect to Stripe waits for no other part of the page.
    """
    cart = visit.cart
    redirecting = st.session_state.pop(REDIRECTING, None)
    with st.container(border=True, key="cart"):
        render("cart", rendering.redirect_script(redirecting) if redirecting else "", cart=cart)
        with st.container(key="pay-bar"):
            render("total", cart=cart)
            if redirecting:
                st.button("Opening Stripe…", type="primary", disabled=True, width="stretch")
                render("redirect_note", number=redirecting)
                prefetch.URL_PREFETCH.start(visit.buyer, redirecting)  # while the browser follows
                return
            error = cart.error(reader().language)
            if st.button(
                cart.button_label(reader().price(cart.total, cart.currency)),
                type="primary",
                width="stretch",
                disabled=bool(error),
                on_click=pay,
                args=(visit,),
                key="pay",
            ):
                st.rerun()  # not redirected: the whole page may have changed
            with st.container(key="pay-note", horizontal=True):
                pay_note(cart, error)


def pay_note(cart: Cart, error: str) -> None:
    """The result of the last click, and why the button is disabled or what it will do."""
    notice = st.session_state.get(NOTICE)
    if notice and not notice.at_order:
        show_notice(notice)
        dismiss_button()
    if error:
        render("hint", sentence=error)
    elif old := cart.replaced_order:
        price = reader().price(old.total_amount, old.currency)
        render("hint", sentence=f"Paying for this cart cancels your unpaid order of {price}.")
    elif not notice:
        render("hint", sentence=PAY_HINT, usual=True)


def pay(visit: Visit, confirmed_total: int | None = None) -> None:
    """Place the order for the chosen quantities; the page then redirects to Stripe.

    The shown total is passed on, so a price that has changed since is refused; and the shown
    orders, because only one of these may be replaced. `confirmed_total`: to buy the same again.
    """
    clear(*MESSAGES)
    cart = visit.cart
    if cart.error(reader().language):
        return  # the page shows it at the button and at the field
    total = cart.total if confirmed_total is None else confirmed_total
    try:
        st.session_state[REDIRECTING] = checkout.place(
            visit.buyer,
            cart.quantities,
            shown_amount=total,
            store_url=store_url(),
            again=confirmed_total is not None,
            may_replace={order.number for order in visit.orders.orders},
        )
    except errors.JustBought as error:
        st.session_state[PROMPT] = str(error), total
    except errors.OtherOrderPaid as error:
        set_notice(Notice(str(error), "good", error.number))
    except errors.StoreError as error:
        set_notice(Notice(responses.error_text(error), "warning"))


def cancel(buyer: str, order_number: str) -> None:
    """Cancel at Stripe first; where Stripe says that it is paid, the notice says so."""
    clear(CANCELING)
    sentence, tone = "Canceled. You have not been charged.", "waiting"
    try:
        checkout.cancel(buyer, order_number)
        order = order_detail.of_buyer(buyer, order_number).order
        if order.status != "canceled":
            status = order.buyer_word.lower()
            sentence, tone = f"This order could not be canceled any more: {status}.", "warning"
    except errors.OtherOrderPaid:
        sentence, tone = "Too late to cancel: this order has just been paid.", "good"
    except errors.StoreError as error:
        sentence, tone = responses.error_text(error), "warning"
    set_notice(Notice(sentence, tone, order_number, at_order=True))


@st.dialog("Buy the same again?", on_dismiss=close_dialogs)
def repeat_purchase_dialog(visit: Visit, sentence: str, total: int) -> None:
    decide(sentence, "Buy again", "No, once is enough", partial(pay, visit, total), type="primary")


@st.dialog("Cancel this order?", on_dismiss=close_dialogs)
def cancel_dialog(buyer: str, order_number: str) -> None:
    sentence = f"Order {order_number} can then no longer be paid."
    act = partial(cancel, buyer, order_number)
    decide(sentence, "Cancel the order", "Keep it", act, key="danger-cancel")


def decide(sentence: str, yes: str, no: str, act: Callable[[], None], **options: Any) -> None:
    """A dialog's sentence and two buttons; `options` are those of `yes`, which does `act`."""
    st.text(sentence)
    with st.container(horizontal=True):
        for label, do, more in ((yes, act, options), (no, close_dialogs, {})):
            if st.button(label, **more):
                do()
                st.rerun()


def cancel_button(order_number: str, label: str = "Cancel") -> None:
    """Opens a dialog, which only the whole page can do, not the part that refreshes."""
    if st.button(label, key=f"cancel-{order_number}", type="tertiary"):
        st.session_state[CANCELING] = order_number
        st.rerun()


def orders_panel(buyer: str, in_cart: bool, orders: my_orders.MyOrders, polling: bool) -> None:
    """The buyer's orders, newest first; refreshes itself while one of them is waiting.

    `in_cart`: the Pay button continues the open order, so its row has no second link to pay.
    """
    if orders.orders:
        order_rows(buyer, orders, in_cart)
    else:
        render("hint", sentence=texts.NOTHING_YET)
        demo_page.show_first_visit_hint()
    if polling:
        render("auto_refresh_note", at=datetime.now(UTC))
    render("charge_summary", charges=orders.charges)


def order_rows(buyer: str, orders: my_orders.MyOrders, in_cart: bool) -> None:
    """The newest orders; older ones are read a page at a time, once they are opened."""

    def read(**conditions: Any) -> Sequence[OrderView]:
        with db.reading() as session:
            return my_orders.newest_orders(session, buyer, status, **conditions)

    status = ""
    if orders.filters:
        status = st.pills(
            "Orders by status",
            ["", *orders.filters],
            format_func=orders.filter_label,
            default="",
            required=True,
            key="status",
            label_visibility="collapsed",
            on_change=clear,
            args=(OLDER_PAGES,),
        )
    newest = read() if status else orders.orders
    with st.container(key="orders", gap=None):
        render("order_columns")
        for order in newest:
            order_row(order, in_cart)
    if (remaining := orders.count(status) - len(newest)) > 0:
        expander = st.expander(f"{remaining} older", key="older", on_change="rerun")
        pages = st.session_state.get(OLDER_PAGES, 1)
        older = read(exclude=newest, limit=pages * my_orders.PAGE_SIZE) if expander.open else ()
        with expander, st.container(key="older-orders", gap=None):
            for order in older:
                order_row(order, in_cart)
        if expander.open and len(older) < remaining:
            more = {OLDER_PAGES: pages + 1}
            expander.button("Show more", key="more", on_click=st.session_state.update, kwargs=more)


def order_row(order: OrderView, in_cart: bool) -> None:
    notice = st.session_state.get(NOTICE)
    own = notice if notice and notice.at_order and notice.order == order.number else None
    with st.container(key=f"row-{order.number}"):
        render("order_row", order=order, in_cart=in_cart and order.is_payable, notice=own)
        if own:
            dismiss_button()
        elif order.is_payable:
            cancel_button(order.number)


def load_with_buyer(buyer: str, order_number: str) -> tuple[str, order_detail.OrderDetail]:
    """An order of this visitor or of their rehearsal, which buys as another buyer."""
    try:
        return buyer, order_detail.of_buyer(buyer, order_number)
    except errors.OrderNotFound:
        rehearsing = demo_runner.rehearsal_buyer(buyer)
        return rehearsing, order_detail.of_buyer(rehearsing, order_number)


def order() -> None:
    """One order. The return from Stripe asks Stripe once; a reload only reads."""
    returned = "session_id" in st.query_params
    if returned and cookie() is None:
        show_notice(Notice(texts.RETURNED_ELSEWHERE))
    order_number = st.query_params.get("number", "")
    try:
        buyer, detail = load_with_buyer(buyer_hash(), order_number)
    except errors.OrderNotFound as error:
        elsewhere = f"{error} It may belong to another browser."
        show_notice(Notice(f"{texts.RETURNED_ELSEWHERE} {error}" if returned else elsewhere))
        render("back_link")
        return
    st.set_page_config(page_title=f"Order {order_number} · {shop_profile.current().name}")
    if returned:
        with (place := st.empty()):
            render("confirming", order=detail.order)
        refresh_order(buyer, order_number, prefetch.settle)
        place.empty()
        detail = order_detail.of_buyer(buyer, order_number)
        del st.query_params["session_id"]
    if st.session_state.get(CANCELING) == order_number:
        cancel_dialog(buyer, order_number)
    read = partial(order_detail.of_buyer, buyer, order_number)
    auto_refresh(partial(order_page, buyer), read, detail, NOTICE)


def refresh_order(buyer: str, order_number: str, settle: Callable[[str, str], None]) -> None:
    """Ask Stripe for the order's state. Without an answer the page says so and keeps refreshing,
    because the webhook or the reconciler will report it.
    """
    clear(UNCONFIRMED, *MESSAGES)
    try:
        settle(buyer, order_number)
    except (errors.StripeError, errors.DatabaseUnavailable):
        st.session_state[UNCONFIRMED] = order_number
        set_notice(Notice(texts.UNCONFIRMED, order=order_number, at_order=True))


def check_with_stripe(buyer: str, order_number: str) -> None:
    refresh_order(buyer, order_number, partial(checkout.refresh_order, always=True))
    if UNCONFIRMED not in st.session_state:
        set_notice(Notice("Checked with Stripe just now.", order=order_number, at_order=True))


def order_page(buyer: str, detail: order_detail.OrderDetail, polling: bool) -> None:
    """Everything about one order; refreshes itself while it may still change."""
    order = detail.order
    show_toast()
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        if order.is_waiting and st.session_state.get(UNCONFIRMED) == order.number:
            render("confirming", order=order)
        else:
            render("status_headline", order=order)
        # One line of constant height: the last action's result, or that the page refreshes itself.
        with st.container(key="order-note", horizontal=True, vertical_alignment="center"):
            if notice := st.session_state.get(NOTICE):
                render("notice", sentence=notice.sentence, tone=notice.tone)
                dismiss_button()
            elif polling:
                render("auto_refresh_note", at=datetime.now(UTC))
            else:
                render("hint", sentence="")
        order_actions(buyer, order)
        with st.container(border=True, key="receipt"):
            render("receipt", order=order)
    with right, st.container(key="proof"):
        render("timeline", has_script=True, detail=detail)
    render("charge_summary", charges=detail.charges, here=order.number)


def order_actions(buyer: str, order: OrderView) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="actions"):
        links = rendering.render("storefront", "order_links", reader(), order=order)
        st.html(links, width="content")
        if order.is_payable:
            cancel_button(order.number, "Cancel this order")
        st.button(
            "Check with Stripe",
            key="check",
            type="tertiary",
            on_click=check_with_stripe,
            args=(buyer, order.number),
        )


def rehearsal() -> None:
    demo_page.show(buyer_hash(), store_url(), may_rehearse)


def may_rehearse() -> bool:
    """True on this computer and for operators, as it disturbs every buyer; each click checks it."""
    try:
        pages_common.current_operator()
    except auth.NotSignedIn:
        return st.context.headers.get(middleware.LOCAL_HEADER) == "yes"
    return True


def main() -> None:
    st.set_page_config(layout="wide")  # a title here would hide those of the pages
    name = shop_profile.current().name
    pages = [
        st.Page(shop, title=name, default=True),
        st.Page(order, title=f"Your order · {name}", url_path="order"),
        st.Page(rehearsal, title=f"Rehearsal · {name}", url_path="rehearsal"),
        *backoffice.pages(),
    ]
    page = st.navigation(pages, position="hidden")
    with st.container(key="masthead"):
        render("masthead", home=page.title == name, **stripe_mode.mode_badge())
    try:
        page.run()
    except errors.DatabaseUnavailable:
        show_notice(texts.DATABASE_DOWN)
        st.fragment(wait_for_database, run_every=2)()
    except errors.StoreError as error:
        show_notice(Notice(responses.error_text(error), "warning"))


def wait_for_database() -> None:
    try:
        with db.reading() as session:
            catalog.active_products(session)
    except errors.DatabaseUnavailable:
        return
    st.rerun()


def show_unexpected_error(error: Exception) -> bool:
    """Show a short id that the log quotes too, and a link to the shop."""
    from store.web import rendering, responses  # noqa: PLC0415

    sentence = responses.log_unexpected(error)
    st.html(rendering.render("storefront", "notice", sentence=sentence, tone="bad"))
    st.html(rendering.render("storefront", "back_link"))
    return True


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, on_script_error=show_unexpected_error, **server.app_options())
