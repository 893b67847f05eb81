"""The audit compares payment by payment; what is owed, missing or unreadable is a difference."""

import json
from argparse import Namespace
from typing import Any

import pytest
from sqlmodel import col, delete, select

from store.backoffice import actions
from store.cli import commands, preflight
from store.core import settings
from store.db import engine as db
from store.db.models import (
    HistoryEntry,
    Order,
    OrderCheck,
    OrderItem,
    Product,
    Refund,
    ShopMark,
    StripeEvent,
)
from store.orders import queries, transitions
from store.orders.stripe_facts import Document
from store.reconciliation import audit, reconciler, restored_orders
from store.reconciliation.result import ReconcileResult
from store.reports import my_orders
from store.stripe_api import requests
from store.web import buyer_cookie
from tests.support.shop import JEANS, ON_SQLITE, Shop, at_once

COMPLETED = "checkout.session.completed"


def restore_missing() -> ReconcileResult:
    done = ReconcileResult()
    restored_orders.restore_missing(done)
    return done


def restore_an_old_copy(shop: Shop, *gone: str) -> None:
    """The database as it was before these orders: nothing of them is left."""
    with db.unit_of_work() as session:
        ids = select(Order.id).where(col(Order.number).in_(gone))
        for table in (OrderCheck, HistoryEntry, OrderItem, Refund, StripeEvent):
            session.exec(delete(table).where(col(table.order_id).in_(ids)))
        session.exec(delete(Order).where(col(Order.number).in_(gone)))


def change(number: str, **values: Any) -> None:
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(col(Order.number) == number)).one()
        for name, value in values.items():
            setattr(order, name, value)


def another_buyer(shop: Shop) -> None:
    shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())


def as_stripe_says(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let each listed session lack something, or say something else."""
    listed = requests.checkouts

    def bent() -> Any:
        for session in listed():
            yield {k: v for k, v in (session | changes).items() if v != "absent"}

    monkeypatch.setattr(requests, "checkouts", bent)


# --- rules 8 and 9: payment by payment, and what is absent never agrees ---------------------------


def test_a_shop_that_sold_and_gave_back_agrees_with_stripe(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 1000)
    shop.pay_a_second_session(number)
    another_buyer(shop)
    shop.dispute(shop.a_paid_order(JEANS))
    shop.deliver_all()
    reconciler.reconcile_recent()
    shop.deliver_all()

    found = audit.audit()

    assert (found.agrees, found.difference_amount) == (True, 0)
    entry = found.entries[0]
    assert (entry.stripes.total.paid_amount, entry.stripes.total.refunded_amount) == (7996, 4998)


@pytest.mark.scenario("J4")
def test_an_owed_refund_is_a_difference_until_it_is_made(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.pay_a_second_session(number)
    shop.deliver_latest(COMPLETED)
    shop.stripe.emulator.inject_fault("request", "refuse", times=1, match="POST /v1/refunds")
    reconciler.reconcile_recent()

    owed = audit.audit()
    (row,) = shop.refunds()
    actions.retry_refund("Ada", number, row.id or 0)
    back = audit.audit()

    assert (owed.agrees, owed.difference_amount) == (False, 3998)
    assert (owed.entries[0].ours.total.owed_amount, owed.entries[0].difference_amount) == (
        3998,
        3998,
    )
    assert "Refunds are owed for 1." in "\n".join(commands.table(owed))
    assert (back.agrees, back.difference_amount) == (True, 0)


@pytest.mark.scenario("J5")
@pytest.mark.parametrize("amount", [None, 1000], ids=["all of it", "a part"])
def test_a_manually_refunded_second_payment_is_counted_once(shop: Shop, amount: int | None) -> None:
    number = shop.a_paid_order()
    second = shop.pay_a_second_session(number)
    shop.stripe.emulator.refund(second, amount)
    shop.deliver_latest(COMPLETED)

    reconciler.reconcile_recent()
    found = audit.audit()

    assert found.agrees, found.entries
    assert found.entries[0].ours.total.paid_amount == 7996
    assert found.entries[0].ours.payments[second].refunded_amount == 3998


@pytest.mark.scenario("J10")
def test_equal_sums_of_different_payments_are_a_difference(shop: Shop) -> None:
    number = shop.a_paid_order()
    change(number, payment_intent_id="pi_another")

    found = audit.audit()

    assert (found.agrees, found.difference_amount) == (False, 7996)
    assert "in different payments" in "\n".join(commands.table(found))


def test_the_table_shows_the_states_of_disputes_and_both_where_they_differ(shop: Shop) -> None:
    disputed = shop.dispute(shop.a_paid_order())

    unknown_here = "\n".join(commands.table(audit.audit()))
    shop.deliver_all()
    known = "\n".join(commands.table(audit.audit()))

    assert f"none ≠ {disputed} needs_response" in unknown_here
    assert "needs_response" in known
    assert not {"≠", "{", disputed} & set(known.split())


@pytest.mark.scenario("J10")
def test_a_paid_order_without_a_session_at_stripe_is_a_difference(shop: Shop) -> None:
    shop.a_past("paid", "expired")

    found = audit.audit()

    assert (found.agrees, found.difference_amount) == (False, 1999)
    assert [entry.agrees for entry in found.entries] == [False, True]


@pytest.mark.scenario("J10")
@pytest.mark.parametrize(
    "absent",
    [
        {"amount_total": None},
        {"amount_total": "absent"},
        {"amount_total": "3998"},
        {"currency": None},
        {"currency": "eur"},
        {"payment_status": "absent"},
        {"payment_intent": None},
        {"payment_intent": "absent"},
    ],
    ids=str,
)
def test_a_field_missing_at_stripe_never_agrees(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, absent: dict[str, Any]
) -> None:
    shop.a_paid_order()
    as_stripe_says(monkeypatch, **absent)

    found = audit.audit()

    assert not found.agrees


@pytest.mark.scenario("J10")
def test_one_item_that_cannot_be_read_does_not_end_the_audit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.a_paid_order()
    odd = shop.stripe.a_session(metadata={"order_number": "ODD"})
    listed = requests.checkouts
    monkeypatch.setattr(
        requests,
        "checkouts",
        lambda: ({**s, "payment_status": []} if s["id"] == odd.id else s for s in listed()),
    )

    found = audit.audit()

    assert found.unreadable == [odd.id]
    assert not found.agrees
    assert [(e.number, e.agrees) for e in found.entries] == [(number, True)]
    assert odd.id in "\n".join(commands.table(found))


@pytest.mark.scenario("J10")
def test_a_refund_that_only_we_know_of_is_a_difference(shop: Shop) -> None:
    number = shop.a_paid_order()
    with db.unit_of_work() as session:
        session.add(
            Refund(
                order_id=shop.order(number).id or 0,
                payment_intent_id=shop.payment_id(number),
                amount=500,
                status="succeeded",
                idempotency_key="made up",
                stripe_refund_id="re_made_up",
            )
        )

    assert audit.audit().difference_amount == 500


# --- J10: an old copy was restored ----------------------------------------------------------------


def the_command(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> tuple[int, str]:
    code = commands.audit(Namespace(json=as_json))
    return code, capsys.readouterr().out


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m store audit` in this process, on the settings of the test."""
    monkeypatch.setattr(preflight, "settings_for", lambda _arguments: settings.current())


@pytest.mark.scenario("J10")
def test_orders_that_an_old_copy_lacks_are_named_with_their_amounts(
    shop: Shop, command: None, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = shop.a_paid_order()
    another_buyer(shop)
    lost = shop.a_paid_order()
    another_buyer(shop)
    open_one = shop.an_open_order(JEANS)
    restore_an_old_copy(shop, lost, open_one)

    code, table = the_command(capsys, as_json=False)
    code_of_json, document = the_command(capsys, as_json=True)

    assert (code, code_of_json) == (1, 1)
    assert "2 orders of this shop are at Stripe and missing here, $39.98 paid." in table
    assert all(text in table for text in (kept, lost, open_one, "$39.98", "$49.99"))
    comparison = json.loads(document)
    assert (comparison["agrees"], comparison["difference_amount"], comparison["strangers"]) == (
        False,
        3998,
        [],
    )
    missing = {order["number"]: order for order in comparison["missing"]}
    assert (missing[lost]["status"], missing[lost]["amount"]) == ("paid", 3998)
    assert (missing[open_one]["status"], missing[open_one]["amount"]) == ("open", 4999)


@pytest.mark.scenario("J10")
def test_reconciling_brings_missing_orders_back_with_all_that_stripe_knows(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 1000)
    shop.deliver_all()
    before = shop.order(number)
    shop.dispute(number)
    another_buyer(shop)
    open_one = shop.an_open_order(JEANS)
    address = shop.order(open_one).checkout_url
    restore_an_old_copy(shop, number, open_one)

    done = reconciler.reconcile_everything()

    assert sorted(done.restored) == sorted([number, open_one])
    assert done.lost == {}
    back = shop.order(number)
    same = "number currency total_amount checkout_session_id payment_intent_id payment_status"
    for name in (*same.split(), "checkout_status", "refunded_amount", "email", "receipt_url"):
        assert getattr(back, name) == getattr(before, name), name
    assert abs((back.created_at - before.created_at).total_seconds()) < 5
    assert back.paid_at
    assert back.status == "disputed"
    assert shop.order(open_one).checkout_url == address
    with db.reading() as session:
        items = session.exec(select(OrderItem).where(col(OrderItem.order_id) == back.id)).all()
        assert [(i.name, i.quantity, i.unit_amount) for i in items] == [("Red T-Shirt", 2, 1999)]
    assert audit.audit().agrees
    assert shop.log(number)[0] == "restored"
    again = reconciler.reconcile_everything()
    assert (again.restored, again.older) == ([], 0)


@pytest.mark.scenario("J10")
def test_a_restored_order_has_no_buyer_and_can_still_be_paid(shop: Shop) -> None:
    number = shop.an_open_order()
    session_id = shop.session_id(number)
    restore_an_old_copy(shop, number)
    reconciler.reconcile_everything()

    with db.reading() as session:
        seen = [my_orders.newest_orders(session, buyer) for buyer in (shop.buyer, "")]
    assert shop.stripe.pay(session_id).outcome == "succeeded"
    shop.deliver_latest(COMPLETED)

    assert seen == [[], []]
    assert shop.order(number).status == "paid"
    again = shop.an_open_order()
    assert again != number


@pytest.mark.scenario("J10")
@pytest.mark.parametrize("reconciled", [True, False])
def test_who_had_ordered_before_an_old_copy_was_restored_can_order_the_same_again(
    shop: Shop, reconciled: bool
) -> None:
    number = shop.an_open_order()
    restore_an_old_copy(shop, number)
    if reconciled:
        reconciler.reconcile_everything()

    again = shop.an_open_order()

    assert shop.pay(again) == "succeeded"
    shop.deliver_latest(COMPLETED)
    assert shop.order(again).status == "paid"


@pytest.mark.scenario("J10")
def test_a_second_payment_of_a_restored_order_is_refunded_once(shop: Shop) -> None:
    number = shop.a_paid_order()
    mark = queries.known_mark() or ""
    session = shop.stripe.a_session(metadata={"order_number": number, "shop": mark})
    assert shop.stripe.pay(session.id).outcome == "succeeded"
    second = shop.stripe.intent_of(session.id).id
    shop.deliver_all()
    reconciler.reconcile_recent()
    assert [refund.payment_intent for refund in shop.refunds_at_stripe()] == [second]
    own = shop.payment_id(number)
    restore_an_old_copy(shop, number)

    reconciler.reconcile_everything()
    reconciler.reconcile_recent()

    assert shop.order(number).payment_intent_id == own
    assert [refund.payment_intent for refund in shop.refunds_at_stripe()] == [second]
    assert audit.audit().agrees


@pytest.mark.scenario("J10")
def test_events_that_came_while_an_order_was_missing_count_once_it_is_back(shop: Shop) -> None:
    number = shop.an_open_order()
    session_id = shop.session_id(number)
    restore_an_old_copy(shop, number)
    assert shop.stripe.pay(session_id).outcome == "succeeded"
    assert shop.deliver_latest(COMPLETED) == "unknown_order"

    reconciler.reconcile_everything()

    assert shop.order(number).status == "paid"
    assert shop.inbox()[shop.event(COMPLETED)["id"]].outcome in ("applied", "no_change")


@pytest.mark.scenario("J10")
def test_a_missing_product_is_restored_with_its_order_but_inactive(shop: Shop) -> None:
    number = shop.a_paid_order()
    restore_an_old_copy(shop, number)
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == "red-t-shirt")).one().name = "New"

    reconciler.reconcile_everything()

    with db.reading() as session:
        product = session.exec(select(Product).where(col(Product.name) == "Red T-Shirt")).one()
    assert not product.active
    assert audit.audit().agrees


@pytest.mark.scenario("J10", "C9")
@pytest.mark.parametrize("mark", [None, "shop_of_somebody_else"])
@ON_SQLITE
def test_orders_without_this_shops_mark_are_strangers_and_no_alarm(
    shop: Shop, command: None, capsys: pytest.CaptureFixture[str], mark: str | None
) -> None:
    shop.a_paid_order()
    theirs = {"order_number": "THEIRS"} | ({"shop": mark} if mark else {})
    session = shop.stripe.a_session(metadata=theirs)
    assert shop.stripe.pay(session.id).outcome == "succeeded"

    code, table = the_command(capsys, as_json=False)
    done = reconciler.reconcile_everything()

    assert code == 0
    assert "1 order at Stripe belongs to another shop or database." in table
    assert (done.restored, len(shop.orders())) == ([], 1)


@pytest.mark.scenario("J10")
def test_a_session_that_expired_unpaid_is_not_missed(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.stripe.client.v1.checkout.sessions.expire(shop.session_id(number))
    restore_an_old_copy(shop, number)

    assert audit.audit().missing == []
    assert reconciler.reconcile_everything().restored == []


@pytest.mark.scenario("J10")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount_total": None}, "no amount"),
        ({"amount_total": 1}, "do not make up its amount"),
        ({"currency": None}, "no currency"),
        ({"livemode": True}, "live-mode"),
        ({"livemode": "absent"}, "live-mode"),
        ({"created": None}, "cannot be read"),
    ],
    ids=str,
)
@ON_SQLITE
def test_an_order_that_cannot_be_made_again_is_left_with_the_reason_and_keeps_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], why: str
) -> None:
    odd = shop.a_paid_order()
    odd_session = shop.session_id(odd)
    another_buyer(shop)
    good = shop.a_paid_order(JEANS)
    restore_an_old_copy(shop, odd, good)
    listed = requests.checkouts

    def bent() -> Any:
        for session in listed():
            made = session | changes if session["id"] == odd_session else session
            yield {name: value for name, value in made.items() if value != "absent"}

    monkeypatch.setattr(requests, "checkouts", bent)

    done = restore_missing()

    assert done.restored == [good]
    assert why in done.lost[odd]
    assert [order.number for order in shop.orders()] == [good]
    assert not audit.audit().agrees


@pytest.mark.scenario("J10")
@pytest.mark.parametrize("odd", [{"metadata": []}, {"payment_status": []}, {"metadata": None}])
def test_an_item_that_cannot_be_read_keeps_no_order_from_coming_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    number = shop.a_paid_order()
    restore_an_old_copy(shop, number)
    strange = shop.stripe.a_session(metadata={"order_number": "ODD", "shop": queries.known_mark()})
    listed = requests.checkouts
    monkeypatch.setattr(
        requests, "checkouts", lambda: (s | odd if s["id"] == strange.id else s for s in listed())
    )

    assert restore_missing().restored == [number]


@pytest.mark.scenario("J10")
def test_two_concurrent_restores_create_each_order_once(shop: Shop) -> None:
    number = shop.a_paid_order()
    restore_an_old_copy(shop, number)

    results = at_once(4, lambda _: restore_missing())

    assert [r for r in results if not isinstance(r, ReconcileResult)] == []
    assert sum(len(result.restored) for result in results) == 1
    assert all(result.lost == {} for result in results)
    assert shop.log(number).count("paid") == 1
    with db.reading() as session:
        assert len(session.exec(select(OrderItem)).all()) == 1


@pytest.mark.scenario("J10")
def test_a_crash_while_restoring_an_order_leaves_nothing_of_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.a_paid_order()
    restore_an_old_copy(shop, number)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as death:
        death.setattr(transitions, "apply_facts", dies)
        with pytest.raises(KeyboardInterrupt):
            restore_missing()

    assert shop.orders() == []
    assert restore_missing().restored == [number]
    assert audit.audit().agrees


def test_the_mark_is_made_once_and_stays(shop: Shop) -> None:
    first = shop.an_open_order()
    another_buyer(shop)
    second = shop.an_open_order()

    marks = {session["metadata"]["shop"] for session in requests.checkouts()}
    with db.reading() as session:
        kept = session.exec(select(ShopMark.mark)).all()

    assert first != second
    assert marks == set(kept)
    assert len(kept) == 1


@ON_SQLITE
def test_the_commands_report_restored_and_lost_orders(
    shop: Shop,
    command: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = shop.a_paid_order()
    restore_an_old_copy(shop, number)
    lines = requests.line_items

    with monkeypatch.context() as odd:
        odd.setattr(requests, "line_items", lambda _session: iter(list[Document]()))
        failed = commands.reconcile(Namespace())
    refused = capsys.readouterr().out
    monkeypatch.setattr(requests, "line_items", lines)
    code = commands.reconcile(Namespace())
    brought = capsys.readouterr().out

    assert failed == 1
    assert f"Order {number} is at Stripe and could not be brought back: its items" in refused
    assert code == 0
    assert f"Order {number} is back, from what Stripe knows" in brought
