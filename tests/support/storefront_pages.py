"""The storefront's page run by AppTest, and its server asked without a socket."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import streamlit
from sqlmodel import Session, col, func, select
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from store.core import errors, settings
from store.db import engine as db
from store.db.models import Order, Product
from store.orders import checkout
from store.storefront import checkout_redirect, prefetch, server
from store.web import buyer_cookie
from tests.support import event_loops

FRONTEND = Path(streamlit.__file__).parent / "static" / "index.html"
APP = settings.ROOT / "streamlit_app.py"
ME, STRANGER = buyer_cookie.new_cookie(), buyer_cookie.new_cookie()
A_PAGE = "text/html,application/xhtml+xml"


def never_asked(*_args: object) -> None:
    raise AssertionError("Stripe was asked")


def html(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def pay_button(at: AppTest) -> Button:
    (button,) = [button for button in at.button if button.label.startswith("Pay")]
    return button


def rows(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Order)).one()


def an_order(cookie: str = ME, **cart: int) -> str:
    with db.reading() as session:
        prices = {p.slug: p.unit_amount for p in session.exec(select(Product))}
    wanted = {slug.replace("_", "-"): quantity for slug, quantity in cart.items()}
    total = sum(prices[slug] * quantity for slug, quantity in wanted.items())
    return checkout.place(
        buyer_cookie.buyer_hash(cookie), wanted, shown_amount=total, store_url="http://shop.example"
    )


def set_price(slug: str, amount: int) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == slug)).one().unit_amount = amount


def settle_by(monkeypatch: pytest.MonkeyPatch, settle: Callable[[str, str], object]) -> None:
    """Let this be how Stripe is asked about an order whose buyer is back."""
    monkeypatch.setattr(checkout, "refresh_order", settle)
    monkeypatch.setattr(prefetch, "SETTLE_PREFETCH", prefetch.Prefetcher(settle))


WHOSE = (buyer_cookie.buyer_hash(ME), "2222-2222-2222-2222")


def silent(*_arguments: object, **_more: object) -> str:
    raise errors.StripeUnreachable


def make_it(number: str, **values: object) -> None:
    """Let an order be as Stripe's answers would have made it."""
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(col(Order.number) == number)).one()
        for name, value in values.items():
            setattr(order, name, value)


PAGES = Route("/go/{number}", checkout_redirect.go), Route("/{path:path}", server.open_page)


class Browser:
    """Asks the server as a browser does, one request at a time, and keeps no cookies of its own."""

    def __init__(self, *routes: BaseRoute) -> None:
        app = Starlette(
            routes=routes or PAGES,
            exception_handlers=server.EXCEPTION_HANDLERS,
        )
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(self, path: str, cookie: str = "", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            sent["cookie"] = f"{buyer_cookie.COOKIE_NAME}={cookie}"

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self.transport, base_url="http://shop.example"
            ) as client:
                return await client.get(path, headers=sent)

        return event_loops.run(ask())
