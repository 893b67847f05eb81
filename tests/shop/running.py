"""The real parts of the shop in one process: emulator, database and webhook door over HTTP."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import stripe
import uvicorn
from sqlmodel import col, select
from stripe.checkout import Session as CheckoutSession

import webhook_server
from store import buyers, catalog, checkout, db, reports
from store.models import Order, OrderLog, StripeEvent
from tests.emulator.running import Running

SECRET = "whsec_the_shop_under_test"
STORE_URL = "http://127.0.0.1:9"
SHIRTS = {"red-t-shirt": 2}
JEANS = {"blue-jeans": 1}


class Door:
    """`webhook_server` under uvicorn in a thread, with its inbox but no reconciler.

    A test that wants to catch up says so; nothing happens behind its back.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                webhook_server.app,
                port=port,
                lifespan="off",
                log_level="critical",
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._server.run)
        webhook_server.inbox.open()
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        webhook_server.inbox.close()


@dataclass
class Shop:
    """What the tests do, in the words of the shop; `stripe` is the emulator's account."""

    stripe: Running
    door: str
    buyer: str = field(default_factory=lambda: buyers.digest(buyers.new_cookie()))

    def place(self, cart: Mapping[str, int] = SHIRTS, buyer: str | None = None, **more: Any) -> str:
        """Press Pay: an order number."""
        with db.reading() as session:
            shown = catalog.total_amount(catalog.on_sale(session), cart)
        given: dict[str, Any] = {"shown_amount": shown, "store_url": STORE_URL} | more
        return checkout.place(buyer or self.buyer, cart, **given)

    def an_open_order(self, cart: Mapping[str, int] = SHIRTS) -> str:
        """Press Pay and arrive at Stripe."""
        number = self.place(cart)
        assert "/c/pay/" in checkout.open_checkout(self.buyer, number)
        return number

    def a_paid_order(self, cart: Mapping[str, int] = SHIRTS) -> str:
        """Bought, paid, and known to be paid."""
        number = self.an_open_order(cart)
        assert self.pay(number) == "succeeded"
        checkout.settle(self.buyer, number)
        assert self.order(number).status == "paid"
        return number

    def pay(self, number: str, card: str = "4242424242424242") -> str:
        """Pay at Stripe, as on its page; the shop hears of it only through its doors."""
        session_id = self.order(number).checkout_session_id
        assert session_id
        return self.stripe.pay(session_id, card).outcome

    def order(self, number: str) -> Order:
        with db.reading() as session:
            return session.exec(select(Order).where(col(Order.number) == number)).one()

    def orders(self) -> list[Order]:
        with db.reading() as session:
            return list(session.exec(select(Order).order_by(col(Order.id))))

    def view(self, number: str) -> reports.OrderView:
        with db.reading() as session:
            return reports.order_of(session, self.buyer, number)

    def log(self, number: str) -> list[str]:
        """The actions in an order's history."""
        with db.reading() as session:
            rows = session.exec(
                select(OrderLog)
                .join(Order, col(Order.id) == col(OrderLog.order_id))
                .where(col(Order.number) == number)
                .order_by(col(OrderLog.id))
            )
            return [row.action for row in rows]

    def inbox(self) -> dict[str, StripeEvent]:
        with db.reading() as session:
            return {row.id: row for row in session.exec(select(StripeEvent))}

    def sessions(self) -> list[CheckoutSession]:
        """Every Checkout Session at Stripe, oldest first."""
        page = self.stripe.client.v1.checkout.sessions.list({"limit": 100})
        return list(page.auto_paging_iter())[::-1]

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The events of the account, oldest first, as plain documents."""
        page = self.stripe.client.v1.events.list({"limit": 100})
        found = [event.to_dict(for_json=True) for event in page.auto_paging_iter()][::-1]
        return [event for event in found if kind in (None, event["type"])]

    def event(self, kind: str) -> dict[str, Any]:
        """The latest event of a type."""
        return self.events(kind)[-1]

    def deliver(
        self, event: Any, *, secret: str = SECRET, at: float | None = None
    ) -> httpx.Response:
        """Sign a document as Stripe does and post it to the webhook door."""
        body = json.dumps(event)
        moment = int(time.time() if at is None else at)
        return self.post(
            body.encode(), stripe.WebhookSignature.generate_signature_header(body, secret, moment)
        )

    def post(self, body: bytes, signature: str | None) -> httpx.Response:
        headers = {} if signature is None else {"Stripe-Signature": signature}
        return httpx.post(
            f"{self.door}/webhooks/stripe/", content=body, headers=headers, timeout=30
        )
