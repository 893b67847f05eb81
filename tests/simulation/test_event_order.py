"""The status of an order is the same for every order of its events, repeated or wrong ones too."""

from dataclasses import fields, replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.orders.stripe_facts import (
    CheckoutFact,
    Fact,
)
from tests.support.counting import count
from tests.support.order_facts import (
    LIVES,
    PAID_FACT,
    SESSION,
    after,
    an_order,
    dispute,
    known_order,
    refund,
)


@pytest.mark.scenario("C6", "H2")
@pytest.mark.parametrize(("life", "end"), LIVES.values(), ids=LIVES)
def test_status_is_the_same_for_every_order_of_events_with_duplicates(
    life: list[Fact], end: str
) -> None:
    orderly = after(life)
    assert orderly[0] == end

    for reported in permutations(life):
        at_once_and_late = [fact for fact in reported for _ in range(2)] + list(reported)
        assert after(at_once_and_late) == orderly, reported
        count("permutations")


@pytest.mark.scenario("C6", "H2")
@given(st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_repetition_of_events_ends_in_the_same_state(data: st.DataObject) -> None:
    life, _ = data.draw(st.sampled_from(list(LIVES.values())))
    repeated = data.draw(st.lists(st.sampled_from(life), max_size=10))

    reported = data.draw(st.permutations([*life, *repeated]))

    assert after(reported) == after(life)
    count("permutations")


UNFIT: dict[str, Any] = {
    "amount": [None, 0, -3998, 3997, 3999, 10**30],
    "currency": [None, "", "eur", "USD"],
    "livemode": [None, True],
    "status": [None, "open", "expired", "thawing", ""],
    "payment_intent_id": [None, "pi_of_somebody"],
    "payment_status": ["no_payment_required", "half_paid", ""],
    "order_number": ["ANOTHER"],
    "session_id": ["cs_of_somebody"],
}


@st.composite
def unfit_payments(draw: st.DrawFn) -> CheckoutFact:
    """A report of a payment in which at least one thing that is compared is absent or wrong."""
    names = draw(st.sets(st.sampled_from(sorted(UNFIT)), min_size=1, max_size=3))
    return replace(PAID_FACT, **{name: draw(st.sampled_from(UNFIT[name])) for name in names})


@st.composite
def unfit_money_back(draw: st.DrawFn) -> Fact:
    """A refund or a dispute that cannot be one of this order's payment."""
    is_refund = draw(st.booleans())
    odd: list[dict[str, Any]] = [
        {"currency": None},
        {"currency": "eur"},
        {"payment_intent_id": "pi_of_somebody", "captured_amount": None},
    ]
    if is_refund:
        change = draw(st.sampled_from([*odd, {"amount": 3999}]))
        return replace(refund("succeeded", name="re_odd"), **change)
    change = draw(st.sampled_from([*odd, {"livemode": None}, {"livemode": True}]))
    return replace(dispute("needs_response"), **({"dispute_id": "dp_odd"} | change))


@pytest.mark.scenario("J8")
@given(st.lists(unfit_payments(), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_report_with_a_missing_field_never_makes_an_order_paid(odd: list[CheckoutFact]) -> None:
    order = known_order()

    end = after(odd, order)

    assert order.payment_status == "unpaid"
    assert order.paid_at is None
    assert end[0] in ("review", "open")
    own = [fact for fact in odd if fact.session_id == SESSION]
    assert not own or end[0] == "review"


@pytest.mark.scenario("J8", "J9", "H2")
@given(st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_mismatched_reports_change_no_amount_in_any_order(data: st.DataObject) -> None:
    life, _ = data.draw(
        st.sampled_from([lived for lived in LIVES.values() if PAID_FACT in lived[0]])
    )
    odd = data.draw(st.lists(unfit_money_back(), min_size=1, max_size=3))
    reported = data.draw(st.permutations([*life, *odd]))

    plain, bent = an_order(), an_order()
    end, bent_end = after(life, plain), after(reported, bent)

    assert bent_end[1:] == end[1:]
    assert bent_end[0] == ("disputed" if end[0] == "disputed" else "review")
    assert 0 <= bent.refunded_amount <= bent.total_amount
    assert after([*life, *odd], an_order()) == bent_end


@pytest.mark.scenario("J8")
def test_every_field_that_a_rule_compares_is_tried() -> None:
    stated = {field.name for field in fields(CheckoutFact)} - {field.name for field in fields(Fact)}

    not_compared = {"url", "expires_at", "email", "receipt_url"}
    assert stated - not_compared == set(UNFIT) - {"order_number"}
