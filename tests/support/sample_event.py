"""The event that is posted: `checkout.session.completed` as Stripe writes it, about any order."""

import tempfile
from pathlib import Path

from stripe_emulator.base.config import Config
from stripe_emulator.emulator import Emulator
from stripe_emulator.resources import checkout_sessions
from tests.support import sample_shop

EVENT, NUMBER, SESSION, PAYMENT = "@event@", "@number@", "@session@", "@payment@"
MARKS = {
    EVENT: "evt_bench{:020}",
    NUMBER: "BENCH-{:09}",
    SESSION: "cs_test_bench{:050}",
    PAYMENT: "pi_bench{:020}",
}
"""The format of each mark's value, by the place of an order of `sample_shop`."""


def template() -> str:
    """The body of such an event, with marks where the ids and the order's number belong."""
    ours = {"order_number": NUMBER}
    price = {"currency": "usd", "unit_amount": sample_shop.AMOUNT // 2}
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(Config(data_path=Path(folder) / "stripe.db", redirect_wait_seconds=0))
        with emulator.account.writing() as tx:
            session = checkout_sessions.create(
                tx,
                {
                    "mode": "payment",
                    "success_url": "http://127.0.0.1:8501/order?session_id={CHECKOUT_SESSION_ID}",
                    "client_reference_id": NUMBER,
                    "metadata": ours,
                    "payment_intent_data": {"metadata": ours},
                    "line_items": [
                        {
                            "price_data": price | {"product_data": {"name": "Red T-Shirt"}},
                            "quantity": 2,
                        }
                    ],
                },
            )
        emulator.checkout.pay_with_card(
            session["id"],
            number="4242 4242 4242 4242",
            expiry="12 / 34",
            cvc="123",
            name="Ada",
            email="ada@example.com",
        )
        with emulator.account.reading() as tx:
            ((event_id, body),) = tx.connection.execute(
                "SELECT id, body FROM events WHERE type = 'checkout.session.completed'"
            ).fetchall()
            (payment,) = tx.connection.execute(
                "SELECT id FROM objects WHERE kind = 'payment_intent'"
            ).fetchone()
        emulator.stop()
    text: str = body
    for known, mark in ((event_id, EVENT), (session["id"], SESSION), (payment, PAYMENT)):
        assert known in text
        text = text.replace(known, mark)
    return text
