"""Signed events of any content are stored once or refused, and damage no order."""

import copy
import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.orders.status_rules import PAID
from tests.integration.test_webhook_endpoint import signed
from tests.support.shop import Shop

KINDS = {
    "checkout.session.completed": (
        "id",
        "status",
        "payment_status",
        "amount_total",
        "currency",
        "livemode",
        "payment_intent",
        "expires_at",
        "url",
        "customer_details",
        "metadata",
    ),
    "charge.succeeded": ("amount", "currency", "livemode", "payment_intent", "receipt_url"),
    "refund.created": ("id", "amount", "currency", "payment_intent", "status", "metadata"),
    "charge.dispute.created": (
        "id",
        "amount",
        "currency",
        "livemode",
        "payment_intent",
        "status",
        "reason",
    ),
}
WORDS = [
    "",
    "paid",
    "unpaid",
    "failed",
    "refused",
    "complete",
    "requested",
    "usd",
    "eur",
    "x" * 6000,
]
AMOUNTS = [-1, 0, 1, 3997, 3999, 2**31, 2**63, 10**30, -(2**63) - 1, 1.5, 1e300]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(AMOUNTS),
    st.sampled_from(WORDS),
    st.sampled_from(["\0", "\ud800", "a\0b", "🛒" * 300, "cs_test_x", "pi_x", "re_x"]),
    st.text(max_size=8),
    st.sampled_from([[], {}, [1], {"id": 7}, {"id": None}, {"order_number": 5}, [[]]]),
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A kind of event, what is odd about its object, and about the event itself."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    inside = draw(st.dictionaries(st.sampled_from(KINDS[kind]), ODD, max_size=4))
    outside = draw(st.dictionaries(st.sampled_from(["created", "livemode"]), ODD, max_size=1))
    return kind, inside, outside


@pytest.mark.scenario("J8", "J9")
def test_no_signed_event_ends_in_an_error_or_in_money_that_is_not_there(shop: Shop) -> None:
    """One order is open, another paid; what is said of them is bent in any way."""
    templates, open_number, paid_number = prepared(shop)
    names = (f"evt_{place}" for place in count())

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(cases=st.lists(changes(), min_size=1, max_size=4))
    def hold(cases: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
        for kind, inside, outside in cases:
            event = copy.deepcopy(templates[kind]) | outside | {"id": next(names)}
            event["data"]["object"] |= inside
            body = json.dumps(event).encode()
            first, second = (shop.post(body, signed(body)) for _ in range(2))

            assert first.status_code == second.status_code == 200, (event, first.text)
            assert second.json()["outcome"] in ("duplicate", "unknown_order"), event
        never_paid, paid = shop.order(open_number), shop.order(paid_number)
        assert never_paid.payment_status not in PAID
        assert never_paid.paid_at is None
        assert paid.payment_status in PAID
        assert 0 <= paid.refunded_amount <= paid.total_amount

    hold()


def prepared(shop: Shop) -> tuple[dict[str, dict[str, Any]], str, str]:
    """Genuine events of each kind; that of a checkout is made about an open order, 1 cent too much.

    No amount that is drawn is that order's, so that nothing can make it paid.
    """
    paid = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(paid), 500)
    shop.dispute(paid)
    templates = {kind: shop.event(kind) for kind in KINDS}
    shop.buyer = "somebody-else"
    number = shop.an_open_order()
    changed = templates["checkout.session.completed"]["data"]["object"]
    changed |= {"id": shop.session_id(number), "metadata": {"order_number": number}}
    changed["amount_total"] += 1
    return templates, number, paid
