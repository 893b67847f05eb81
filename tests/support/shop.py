"""The shop in the test process: emulator, database and webhook server over HTTP."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

import httpx
import pytest
import stripe
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest
from stripe import Refund as StripeRefund
from stripe.checkout import Session as CheckoutSession

import webhook_server
from store.backoffice import auth
from store.backoffice.state import BACK_OFFICE
from store.catalog import products
from store.core import clock
from store.db import engine as db
from store.db.models import Dispute, HistoryEntry, Order, OrderItem, Refund, StripeEvent
from store.orders import checkout, history, queries
from store.reports import history_text, order_detail, order_view
from store.reports.cart import Cart
from store.web import buyer_cookie
from tests.support import loopback
from tests.support.emulator import EmulatorServer, line
from tests.support.server_thread import ServerThread

SECRET = "whsec_the_shop_under_test"
STORE_URL = "http://127.0.0.1:9"
SHIRTS = {"red-t-shirt": 2}
JEANS = {"blue-jeans": 1}
# For what never comes as far as the database.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0…count-1)` in threads that all start at the same moment; results or errors."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(place: int) -> None:
        barrier.wait()
        try:
            results[place] = act(place)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[place] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(results)


class WebhookServer:
    """`webhook_server` under uvicorn in a thread, with its inbox but no reconciler.

    A test that wants to catch up says so; nothing happens behind its back.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.client = loopback.Client(base_url=self.url, timeout=30)
        webhook_server.batcher.open()
        self._server = ServerThread(webhook_server.app, port=port, lifespan="off")

    def close(self) -> None:
        self._server.stop()
        webhook_server.batcher.close()
        self.client.close()


class HistoryLine:
    """An entry of an order's history: its sentences, and as JSON how Stripe reported it."""

    def __init__(self, entry: HistoryEntry) -> None:
        payload = history_text.payload_of(entry)
        self.at, self.source, self.action = entry.at, entry.source, entry.action
        self.detail = history_text.text(payload)
        self.evidence = json.dumps(payload["call"]) if "call" in payload else ""


@dataclass
class Shop:
    """What the tests do, in the words of the shop; `stripe` is the emulator's account."""

    stripe: EmulatorServer
    server: WebhookServer
    buyer: str = field(default_factory=lambda: buyer_cookie.buyer_hash(buyer_cookie.new_cookie()))

    def place(self, cart: Mapping[str, int] = SHIRTS, buyer: str | None = None, **more: Any) -> str:
        """Press Pay: an order number."""
        given: dict[str, Any] = {"store_url": STORE_URL} | more
        if "shown_amount" not in given:
            with db.reading() as session:
                given["shown_amount"] = Cart.of(products.active_products(session), cart).total
        return checkout.place(buyer or self.buyer, cart, **given)

    def an_open_order(self, cart: Mapping[str, int] = SHIRTS) -> str:
        """Press Pay and arrive at Stripe."""
        number = self.place(cart)
        assert "/c/pay/" in checkout.checkout_url(self.buyer, number)
        return number

    def a_paid_order(self, cart: Mapping[str, int] = SHIRTS) -> str:
        """Bought, paid, and known to be paid."""
        number = self.an_open_order(cart)
        assert self.pay(number) == "succeeded"
        checkout.refresh_order(self.buyer, number)
        assert self.order(number).status == "paid"
        return number

    def a_past(self, *statuses: str) -> list[str]:
        """Orders that nobody needs to pay for, oldest first; Stripe knows nothing of them."""
        now, numbers = clock.now(), [queries.new_number() for _ in statuses]
        with db.unit_of_work() as session:
            for number, status in zip(numbers, statuses, strict=True):
                order = Order(
                    number=number,
                    buyer_hash=self.buyer,
                    currency="usd",
                    total_amount=1999,
                    status=status,
                    cart_fingerprint=number,
                    attempt=1,
                    idempotency_key=number,
                    checkout_parameters="{}",
                    checkout_expires_at=now,
                    checkout_status="complete",
                    payment_status="paid" if status == "paid" else "unpaid",
                )
                session.add(order)
                session.flush()
                of = order.id or 0
                session.add(
                    OrderItem(order_id=of, product_id=1, name="Shirt", unit_amount=1999, quantity=1)
                )
                history.log(session, order, "buyer", history.Action.PLACED, {"attempt": 1})
        return numbers

    def pay(self, number: str, card: str = "4242424242424242") -> str:
        """Pay at Stripe, as on its page; only a webhook or a return reports it to the shop."""
        return self.stripe.pay(self.session_id(number), card).outcome

    def pay_later(self, number: str, outcome: Literal["succeeds", "fails"] = "succeeds") -> str:
        """Pay by bank debit; the id of the payment, which is then on its way."""
        session_id = self.session_id(number)
        paid = self.stripe.emulator.checkout.pay_later(
            session_id, outcome=outcome, email="ada@example.com"
        )
        assert paid.outcome == "processing"
        return self.stripe.intent_of(session_id).id

    def session_id(self, number: str) -> str:
        session_id = self.order(number).checkout_session_id
        assert session_id
        return session_id

    def payment_id(self, number: str) -> str:
        """The PaymentIntent at Stripe, whether the shop knows it or not."""
        return self.stripe.intent_of(self.session_id(number)).id

    def dispute(self, number: str) -> str:
        """Let the bank dispute the order's charge; the id of the dispute."""
        intent = self.stripe.intent_of(self.session_id(number))
        made: str = self.stripe.emulator.dispute(self.stripe.charge_of(intent).id)["id"]
        return made

    def pay_a_second_session(self, number: str, amount: int = 3998) -> str:
        """Let Stripe capture another payment with this order's number; its payment's id."""
        ours = {"order_number": number}
        session = self.stripe.a_session(
            metadata=ours,
            payment_intent_data={"metadata": ours},
            line_items=[line(amount)],
        )
        assert self.stripe.pay(session.id).outcome == "succeeded"
        return self.stripe.intent_of(session.id).id

    def order(self, number: str) -> Order:
        with db.reading() as session:
            return session.exec(select(Order).where(col(Order.number) == number)).one()

    def orders(self) -> list[Order]:
        with db.reading() as session:
            return list(session.exec(select(Order).order_by(col(Order.id))))

    def view(self, number: str) -> order_view.OrderView:
        with db.reading() as session:
            return order_detail.load(
                session, queries.order_of_buyer(session, self.buyer, number)
            ).order

    def log(self, number: str) -> list[str]:
        """The actions in an order's history."""
        return [row.action for row in self.history(number)]

    def history(self, number: str) -> list[HistoryLine]:
        with db.reading() as session:
            rows = session.exec(
                select(HistoryEntry)
                .join(Order, col(Order.id) == col(HistoryEntry.order_id))
                .where(col(Order.number) == number)
                .order_by(col(HistoryEntry.id))
            )
            return [HistoryLine(row) for row in rows]

    def refunds(self) -> list[Refund]:
        with db.reading() as session:
            return list(session.exec(select(Refund).order_by(col(Refund.id))))

    def disputes(self) -> list[Dispute]:
        with db.reading() as session:
            return list(session.exec(select(Dispute).order_by(col(Dispute.id))))

    def refunds_at_stripe(self) -> list[StripeRefund]:
        """Every refund at Stripe, oldest first."""
        page = self.stripe.client.v1.refunds.list({"limit": 100})
        return list(page.auto_paging_iter())[::-1]

    def inbox(self) -> dict[str, StripeEvent]:
        with db.reading() as session:
            return {row.id: row for row in session.exec(select(StripeEvent))}

    def sessions(self) -> list[CheckoutSession]:
        """Every Checkout Session at Stripe, oldest first."""
        page = self.stripe.client.v1.checkout.sessions.list({"limit": 100})
        return list(page.auto_paging_iter())[::-1]

    def events(self) -> list[dict[str, Any]]:
        """The events of the account, oldest first, as plain documents."""
        page = self.stripe.client.v1.events.list({"limit": 100})
        return [event.to_dict(for_json=True) for event in page.auto_paging_iter()][::-1]

    def event(self, kind: str) -> dict[str, Any]:
        """The latest event of a type."""
        page = self.stripe.client.v1.events.list({"type": kind, "limit": 1})
        found: dict[str, Any] = page.data[0].to_dict(for_json=True)
        return found

    def deliver(
        self, event: Any, *, secret: str = SECRET, at: float | None = None
    ) -> httpx.Response:
        """Sign a document as Stripe does and post it to the webhook server."""
        body = json.dumps(event)
        moment = int(time.time() if at is None else at)
        return self.post(
            body.encode(), stripe.WebhookSignature.generate_signature_header(body, secret, moment)
        )

    def outcome(self, event: Any) -> str:
        """Deliver an event that is accepted, and read what became of it."""
        answer = self.deliver(event)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["outcome"])

    def deliver_latest(self, kind: str) -> str:
        """Deliver the latest event of a type."""
        return self.outcome(self.event(kind))

    def deliver_all(self) -> None:
        """Deliver every event of the account."""
        for event in self.events():
            self.outcome(event)

    def post(self, body: bytes, signature: str | None) -> httpx.Response:
        headers = {} if signature is None else {"Stripe-Signature": signature}
        return self.server.client.post("/webhooks/stripe/", content=body, headers=headers)


def backoffice_section(section: str, fields: Mapping[str, str] = {}, **query: str) -> AppTest:
    """A section of the back office, as an operator sees it, without the frame.

    `fields` are what is entered already, by the keys of the widgets.
    """
    cookie = BACK_OFFICE.sessions.sign_in(auth.password(), "Ada", "192.0.2.1")
    client = SimpleNamespace(cookies={auth.COOKIE: cookie}, headers=[])
    module = f"pages_{section}"
    at = AppTest.from_string(f"from store.backoffice import {module}\n{module}.render()")
    for name, value in query.items():
        at.query_params[name] = value
    for name, value in fields.items():
        at.session_state[name] = value
    with patch("streamlit.runtime.context._get_client_context", lambda: client):
        at.run(timeout=20)
    assert not at.exception
    return at


def html_of(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))
