"""What operators do: refunds, notes, refetching events and looking orders up."""

import pytest

from store.backoffice import actions
from store.core.errors import RefundChanged
from store.db import engine as db
from store.orders import queries
from store.orders.status_rules import REFUND_VOID
from store.reports import order_detail
from tests.support.order_rows import change
from tests.support.shop import JEANS, Shop, at_once

KEY = "0123456789abcdef" * 2


# --- refunds -------------------------------------------------------------------------------------


@pytest.mark.scenario("F1")
def test_a_refund_form_sent_twice_at_once_refunds_once(shop: Shop) -> None:
    number = shop.a_paid_order()

    said = at_once(4, lambda _: actions.refund("Ada", number, 1000, key=KEY, shown_left=3998))

    assert [refund.amount for refund in shop.refunds_at_stripe()] == [1000]
    assert all(str(word).startswith("Refunded $10.00 of order") for word in said), said
    assert shop.order(number).status == "partially_refunded"


@pytest.mark.scenario("F1")
def test_of_two_operators_who_refund_at_once_one_is_refused(shop: Shop) -> None:
    number = shop.a_paid_order()
    keys = (KEY, KEY[::-1])

    said = at_once(
        2, lambda place: actions.refund("Ada", number, 1000, key=keys[place], shown_left=3998)
    )

    assert [type(word) for word in said if not isinstance(word, str)] == [RefundChanged]
    assert [refund.amount for refund in shop.refunds_at_stripe()] == [1000]


def test_the_history_names_the_operator_of_a_refund(shop: Shop) -> None:
    number = shop.a_paid_order()

    actions.refund("Ada", number, 3998, key=KEY, shown_left=3998)

    asked = next(row for row in shop.history(number) if row.action == "refund asked")
    assert (asked.source, asked.detail) == ("operator", "$39.98 by Ada")
    assert shop.history(number)[-1].source == "operator"


@pytest.mark.parametrize("key", ["", "x" * 32])
def test_a_refund_without_a_key_of_a_dialog_is_refused(shop: Shop, key: str) -> None:
    number = shop.a_paid_order()

    with pytest.raises(actions.IncompleteForm):
        actions.refund("Ada", number, 100, key=key, shown_left=3998)

    assert shop.refunds() == []


def test_reasons_and_notes_are_private_unless_shown_to_the_buyer(shop: Shop) -> None:
    number = shop.a_paid_order()
    actions.refund("Ada", number, 1000, key=KEY, shown_left=3998, reason="Arrived broken")
    actions.refund("Ada", number, 1000, key=KEY, shown_left=3998, reason="Arrived broken")
    actions.add_note("Ada", number, "Always complains.")
    actions.add_note("Ada", number, "A new one is on its way.", is_public=True)

    with db.reading() as session:
        order = queries.order_of_buyer(session, shop.buyer, number)
        buyers = order_detail.timeline_text(order_detail.load(session, order))
        operators = order_detail.timeline_text(order_detail.load(session, order, for_operator=True))

    assert "A new one is on its way." in buyers
    assert "Arrived broken" not in buyers
    assert "Always complains." not in buyers
    assert operators.count("Arrived broken") == 1  # however often it is sent
    assert "Always complains." in operators


@pytest.mark.scenario("F3")
def test_a_refund_without_an_answer_is_shown_as_pending(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "error_before", times=9, match="POST /v1/refunds")

    said = actions.refund("Ada", number, 1000, key=KEY, shown_left=3998)

    assert "Stripe has not answered yet." in said
    assert [refund.status for refund in shop.refunds() if refund.status not in REFUND_VOID] == [
        "requested"
    ]


# --- refreshing ---------------------------------------------------------------------------------


@pytest.mark.scenario("C9")
def test_an_orphan_is_tried_again_when_its_order_is_there(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    change(number, number="MOVED-AWAY")
    assert shop.outcome(event) == "unknown_order"
    still = actions.refetch_event("Ada", event["id"])
    change("MOVED-AWAY", number=number)

    said = actions.refetch_event("Ada", event["id"])
    again = actions.refetch_event("Ada", event["id"])

    assert "No order here has the number that it names." in still
    assert "It changed its order." in said
    assert "nothing has changed" in again
    assert shop.order(number).status == "paid"
    assert shop.history(number)[-1].action == "looked again"
    assert shop.inbox()[event["id"]].deliveries == 1


def test_an_unknown_event_cannot_be_refetched(shop: Shop) -> None:
    with pytest.raises(actions.IncompleteForm):
        actions.refetch_event("Ada", "evt_made_up")


def test_an_operator_asks_stripe_and_cancels(shop: Shop) -> None:
    paid, open_one = shop.an_open_order(), Shop(shop.stripe, shop.server).an_open_order(JEANS)
    shop.pay(paid)

    asked = actions.refresh_order("Ada", paid)
    canceled = actions.cancel("Ada", open_one)
    too_late = actions.cancel("Ada", paid)

    assert "the order is now paid" in asked
    assert (canceled, too_late) == (
        f"Order {open_one} is canceled.",
        f"Order {paid} is paid.",
    )
    assert {row.detail for row in shop.history(open_one)} >= {"by Ada"}
