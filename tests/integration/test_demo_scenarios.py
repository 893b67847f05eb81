"""The rehearsal: its troubles against the real emulator and the real webhook server, and that its
judgement can fail: with a guard taken away, or a book that was tampered with, the row says so.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import SQLModel, col, select

from store.backoffice import actions
from store.catalog import seeding
from store.core import clock, settings
from store.core.errors import EventMalformed, OrderNotFound, StoreError
from store.db import engine as db
from store.db.models import HistoryEntry, Order, Product, Refund
from store.demo import reset, runner, sample_orders
from store.demo.clients import EmulatorClient, NotApplicable
from store.demo.comparison import compare_orders, totals
from store.demo.context import ScenarioContext
from store.demo.runner import Rehearsal, Rehearsals, ResultRow
from store.demo.scenarios import SCENARIOS, Scenario, ScenarioResult
from store.demo.script import FILE, STEPS, Script
from store.orders import checkout, fact_checks, refunds
from store.reconciliation import audit, reconciler
from store.reports import my_orders
from store.stripe_api import requests, signatures, transport
from store.web import buyer_cookie
from store.webhooks import batch_queue, parsing, processing
from tests.support import loopback
from tests.support.shop import ON_SQLITE, SECRET, STORE_URL, Shop
from tests.support.waiting import wait_until

NOBODY = "http://127.0.0.1:9"
KILLS = "Stop the webhooks"  # needs real processes: tests/e2e/test_rehearsal.py
HERE = [scenario for scenario in SCENARIOS if scenario.name != KILLS]


@pytest.fixture
def connected(shop: Shop) -> Shop:
    """A shop whose webhook server is known to the emulator, as the launcher makes it known."""
    endpoint = shop.stripe.client.v1.webhook_endpoints.create(
        {"url": f"{shop.server.url}/webhooks/stripe/", "enabled_events": ["*"]}
    )
    rolled = {"seconds": 0, "secret": SECRET}
    address = f"{shop.stripe.config.address}/emulator/endpoints/{endpoint.id}/roll"
    loopback.post(address, json=rolled).raise_for_status()
    return shop


@pytest.fixture
def rehearsal(connected: Shop) -> Iterator[Rehearsal]:
    yield runner.REHEARSALS.of(connected.buyer)
    runner.REHEARSALS.by_visitor.clear()


def played(rehearsal: Rehearsal, start: Callable[[], None]) -> Rehearsal:
    start()
    wait_until(lambda: rehearsal.progress is None, 60)
    return rehearsal


def tried(rehearsal: Rehearsal, name: str) -> ResultRow:
    """Press one button, and the row as it is then."""
    played(rehearsal, lambda: rehearsal.start(name, STORE_URL))
    (row,) = [row for row in rehearsal.rows if row.scenario.name == name]
    return row


@pytest.mark.parametrize("scenario", HERE, ids=lambda scenario: scenario.name)
def test_the_shop_holds(rehearsal: Rehearsal, scenario: Scenario) -> None:
    first, row = tried(rehearsal, scenario.name).outcome, tried(rehearsal, scenario.name)

    assert (row.state, row.outcome) == ("passed", first), row.outcome
    assert row.number
    assert rehearsal.totals["orders"] >= 2
    assert (rehearsal.totals["differing"], rehearsal.totals["lost"]) == (0, 0)


# --- the judgement can fail ----------------------------------------------------------------------


def forget_what_was_heard(patch: pytest.MonkeyPatch) -> None:
    count = processing._count

    def forgetful(session: Any, known: Any, counts: Any) -> dict[str, str]:
        return dict.fromkeys(count(session, known, counts), "unknown_order")

    patch.setattr(processing, "_count", forgetful)
    patch.setattr(batch_queue, "MAX_BATCH", 10)


def be_deaf_to_refunds(patch: pytest.MonkeyPatch) -> None:
    for kind in ("refund.created", "refund.updated"):
        patch.delitem(parsing.HANDLERS, kind)


def refuse_old_events(patch: pytest.MonkeyPatch) -> None:
    moment = parsing._moment

    def strict(created: Any, *, thin: bool = False) -> Any:
        if (clock.now() - moment(created, thin=thin)).days:
            raise EventMalformed
        return moment(created, thin=thin)

    patch.setattr(parsing, "_moment", strict)


def believe_any_signature(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(signatures, "verify", lambda *_: None)


def accept_old_signatures(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(signatures, "TOLERANCE_SECONDS", 10**9)


def believe_any_amount(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fact_checks, "mismatch", lambda *_: None)


def take_live_for_test(patch: pytest.MonkeyPatch) -> None:
    parse = parsing.decode_body

    def blind(body: bytes) -> Any:
        return parse(body.replace(b'"livemode": true', b'"livemode": false'))

    patch.setattr(parsing, "decode_body", blind)


def sell_to_each_tab(patch: pytest.MonkeyPatch) -> None:
    with db.engine().begin() as connection:
        connection.execute(text("DROP INDEX one_payable_order_per_buyer"))
    patch.setattr(checkout, "payable_order", lambda *_: None)


def ask_under_a_new_key_each_time(patch: pytest.MonkeyPatch) -> None:
    create = requests.create_checkout
    patch.setattr(requests, "create_checkout", lambda p, _key: create(p, buyer_cookie.new_cookie()))


def count_no_refunds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refunds, "left_amount", lambda order, _rows: order.total_amount)


UNGUARDED = {
    "Webhook twice": forget_what_was_heard,
    "100 at once": forget_what_was_heard,
    "Out of order": be_deaf_to_refunds,
    "Three days late": refuse_old_events,
    "Forged": believe_any_signature,
    "Old signature": accept_old_signatures,
    "Other amount": believe_any_amount,
    "Live mode": take_live_for_test,
    "Two tabs at once": sell_to_each_tab,
    "Drop Stripe's answer": ask_under_a_new_key_each_time,
    "Refund twice at once": count_no_refunds,
}


@ON_SQLITE
@pytest.mark.parametrize("scenario", HERE, ids=lambda scenario: scenario.name)
def test_a_shop_without_its_guard_does_not_hold(
    rehearsal: Rehearsal, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    UNGUARDED[scenario.name](monkeypatch)

    row = tried(rehearsal, scenario.name)

    assert row.state == "failed", row.outcome
    assert row.outcome


@ON_SQLITE
def test_the_comparison_finds_a_payment_missing_in_the_database(connected: Shop) -> None:
    number = connected.a_paid_order()
    with db.unit_of_work() as session:
        session.connection().execute(text("UPDATE orders SET payment_status = 'unpaid'"))

    compared = compare_orders(EmulatorClient.current(), [number])

    assert totals(compared)["lost"] == 1
    assert compared[0].difference == "Stripe has the money and our database does not know"


@ON_SQLITE
def test_the_comparison_finds_a_payment_that_stripe_does_not_have(connected: Shop) -> None:
    number = connected.an_open_order()
    with db.unit_of_work() as session:
        session.connection().execute(text("UPDATE orders SET payment_status = 'paid'"))

    (book,) = compare_orders(EmulatorClient.current(), [number])

    assert book.difference == "our database says $39.98 paid, Stripe $0.00"


@ON_SQLITE
def test_a_second_charge_is_counted(connected: Shop) -> None:
    number = connected.a_paid_order()
    connected.pay_a_second_session(number)

    sums = totals(compare_orders(EmulatorClient.current(), [number]))

    assert (sums["charges"], sums["charged_twice"]) == (2, 1)


# --- running -------------------------------------------------------------------------------------


@ON_SQLITE
def test_a_scenario_that_raises_is_reported_and_stops_no_other(rehearsal: Rehearsal) -> None:
    def stumble(_context: ScenarioContext) -> ScenarioResult:
        raise RuntimeError("a fault of the rehearsal itself")

    def refuse(_context: ScenarioContext) -> ScenarioResult:
        raise StoreError("The shop said no.")

    good = rehearsal.rows[4]
    rehearsal.rows = [
        ResultRow(Scenario("a", "", "b", stumble)),
        ResultRow(Scenario("c", "", "d", refuse)),
        ResultRow(good.scenario),
    ]

    played(rehearsal, lambda: rehearsal.start(runner.RUN_ALL, STORE_URL))

    assert [row.state for row in rehearsal.rows] == ["failed", "failed", "passed"]
    assert "quote error" in rehearsal.rows[0].outcome
    assert rehearsal.rows[1].outcome == "The shop said no."
    assert rehearsal.summary == "1 of 3 passed"
    assert not rehearsal.good


@ON_SQLITE
def test_without_a_webhook_server_a_scenario_is_skipped_with_the_reason(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBHOOK_SERVER_PID_FILE", raising=False)

    row = tried(Rehearsal(shop.buyer, Rehearsals()), "Forged")

    assert row.state == "skipped"
    assert "No webhook server is running here" in row.outcome


@ON_SQLITE
def test_a_webhook_server_without_a_supervisor_is_not_killed(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBHOOK_SERVER_PID_FILE", raising=False)

    row = tried(rehearsal, KILLS)

    assert row.state == "skipped"
    assert "Only python -m store starts a stopped webhook server again" in row.outcome


@ON_SQLITE
def test_two_visitors_take_turns_and_see_only_their_own_orders(connected: Shop) -> None:
    visitors = [
        runner.REHEARSALS.of(buyer_cookie.buyer_hash(buyer_cookie.new_cookie())) for _ in range(2)
    ]

    for visitor in visitors:
        visitor.start("Webhook twice", STORE_URL)
        visitor.start("Forged", STORE_URL)  # a second wish meanwhile is dropped
    wait_until(lambda: not any(visitor.progress for visitor in visitors), 30)

    rows = [visitor.rows[0] for visitor in visitors]
    assert [row.state for row in rows] == ["passed", "passed"]
    for visitor, row in zip(visitors, rows, strict=True):
        assert connected.order(row.number or "").buyer_hash == runner.rehearsal_buyer(
            visitor.visitor
        )
        assert list(visitor.orders) == [row.number]
        assert visitor.rows[4].state == "waiting"


@ON_SQLITE
def test_a_rehearsal_leaves_the_visitors_own_orders_alone(
    connected: Shop, rehearsal: Rehearsal
) -> None:
    mine = connected.an_open_order()

    row = tried(rehearsal, "Webhook twice")

    assert connected.order(mine).status == "open"
    with db.reading() as session:
        loaded = my_orders.load(session, connected.buyer)
    assert [order.number for order in loaded.orders] == [mine]
    assert connected.order(row.number or "").buyer_hash == runner.rehearsal_buyer(connected.buyer)


# --- samples and fresh demo ----------------------------------------------------------------------


def orders_by_age(shop: Shop) -> list[tuple[Any, ...]]:
    """What two rehearsals must have in common: every order but for its random number."""
    now = clock.now()
    rows = sorted(shop.orders(), key=lambda row: row.buyer_hash)
    return [
        ((now - row.created_at).days, row.status, row.total_amount, row.refunded_amount)
        for row in rows
    ]


@ON_SQLITE
def test_two_fresh_demos_give_the_same_twenty_five_orders_of_ninety_days(
    connected: Shop, rehearsal: Rehearsal
) -> None:
    demos = []
    for _ in range(2):
        played(rehearsal, lambda: rehearsal.start(runner.SAMPLE_ORDERS, STORE_URL))
        assert rehearsal.good, rehearsal.summary
        demos.append(orders_by_age(connected))
        assert audit.audit().agrees
        reset.reset_demo(EmulatorClient.current())

    assert demos[0] == demos[1]
    assert len(demos[0]) == 25
    assert {status for _, status, *_ in demos[0]} == {
        *("paid", "refunded", "partially_refunded", "disputed", "expired", "canceled", "failed"),
        *("open", "processing"),
    }
    ages = [age for age, *_ in demos[0]]
    assert (max(ages) in (88, 89), min(ages)) == (True, 0)
    assert sum(age < 30 for age in ages) in (10, 11)
    assert rehearsal.summary.endswith("Stripe agrees")


@ON_SQLITE
def test_sample_orders_have_one_date_on_both_sides_and_nothing_changes_them_later(
    connected: Shop, rehearsal: Rehearsal
) -> None:
    played(rehearsal, lambda: rehearsal.start(runner.SAMPLE_ORDERS, STORE_URL))
    before = orders_by_age(connected)
    sessions = list(EmulatorClient.current().list_all("checkout/sessions"))

    reconciler.reconcile_recent()
    played(rehearsal, lambda: rehearsal.start(runner.SAMPLE_ORDERS, STORE_URL))

    assert orders_by_age(connected) == before
    assert "they were here before" in rehearsal.summary
    assert audit.audit().agrees
    created = [session["created"] for session in sessions]
    assert created == sorted(created, reverse=True)
    ours = {row.checkout_session_id: row for row in connected.orders()}
    for session in sessions:
        row = ours[session["id"]]
        assert abs(row.created_at.timestamp() - session["created"]) < 5
        with db.reading() as database:
            query = select(HistoryEntry).where(HistoryEntry.order_id == row.id)
            history = database.exec(query.order_by(col(HistoryEntry.id))).all()
        aged = row.created_at < clock.now() - timedelta(days=1)
        for line in history[: -1 if aged else None]:  # the last one says that it was dated back
            assert line.at - row.created_at < timedelta(minutes=2)


@ON_SQLITE
def test_samples_that_were_interrupted_are_finished_by_the_next_press(
    connected: Shop, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("the process ends here")

    with monkeypatch.context() as patch:
        patch.setattr(sample_orders, "_shift_order", die)  # the emulator's dates are old already
        played(rehearsal, lambda: rehearsal.start(runner.SAMPLE_ORDERS, STORE_URL))
        assert not rehearsal.good
    with monkeypatch.context() as patch:  # and one was not made
        with db.unit_of_work() as session:
            order = session.exec(select(Order).where(Order.buyer_hash == "sample-order-03")).one()
            order.buyer_hash = "somebody"
        played(rehearsal, lambda: rehearsal.start(runner.SAMPLE_ORDERS, STORE_URL))

    samples = [row for row in connected.orders() if row.buyer_hash.startswith("sample-order-")]
    assert len(samples) == 25
    assert sum(row.created_at < clock.now() - timedelta(days=1) for row in samples) == 23
    assert audit.audit().agrees


@ON_SQLITE
def test_the_samples_come_out_the_same_without_a_webhook_server(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_orders, "WEBHOOK_SECONDS", 0.1)
    alone = Rehearsal(shop.buyer, Rehearsals())

    played(alone, lambda: alone.start(runner.SAMPLE_ORDERS, STORE_URL))

    assert alone.good, alone.summary


# --- the script ----------------------------------------------------------------------------------


@ON_SQLITE
def test_the_script_goes_on_after_a_restart_and_its_clock_with_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("store.demo.script.time.time", lambda: now)
    rehearsal = runner.REHEARSALS.of(shop.buyer)
    rehearsal.move_script(rehearsal.script.next)  # the first step on starts the clock
    now += 60
    runner.REHEARSALS.by_visitor.clear()

    script = runner.REHEARSALS.of(shop.buyer).script

    assert (script.step, script.seconds, script.is_running) == (1, 60, True)
    for _ in range(len(STEPS)):
        script.next()
    now += 60
    assert (script.step, script.seconds, script.is_running) == (len(STEPS), 60, False)
    assert Script.load("somebody else") == Script()
    for broken in ("[]", "{", '{"?": {"step": 77}}', '{"?": 3}', '{"?": {"step": "x"}}'):
        (settings.current().data_dir / FILE).write_text(broken.replace("?", shop.buyer))
        assert Script.load(shop.buyer) == Script()
    runner.REHEARSALS.by_visitor.clear()


def test_every_step_of_the_script_names_scenarios_that_exist() -> None:
    names = {scenario.name for scenario in SCENARIOS}

    assert {name for step in STEPS for name in step.scenarios} <= names


def test_a_fresh_demo_deletes_all_orders_and_restores_the_products(
    connected: Shop, rehearsal: Rehearsal
) -> None:
    connected.place(buyer=buyer_cookie.buyer_hash(buyer_cookie.new_cookie()))
    connected.a_paid_order()
    with db.unit_of_work() as session:
        session.exec(select(Product)).first().unit_amount = 1  # type: ignore[union-attr]

    played(rehearsal, rehearsal.start_reset)

    assert rehearsal.good, rehearsal.summary
    assert (
        connected.orders(),
        connected.inbox(),
        connected.sessions(),
        connected.refunds(),
    ) == ([], {}, [], [])
    with db.reading() as session:
        prices = [product.unit_amount for product in session.exec(select(Product))]
    assert prices == [1999, 4999, 7999]


def test_an_event_during_a_reset_waits_and_then_has_an_unknown_order(
    shop: Shop,
) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    paid, answers = shop.event("checkout.session.completed"), list[str]()
    sender = threading.Thread(target=lambda: answers.append(shop.outcome(paid)))

    def deliver(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement == "DELETE FROM stripe_events":
            sender.start()
            sender.join(1)  # time enough to refer to the order, could it do so now

    event.listen(db.engine(), "after_cursor_execute", deliver)
    try:
        reset.reset_demo(EmulatorClient.current())
    finally:
        event.remove(db.engine(), "after_cursor_execute", deliver)
    sender.join()

    assert (shop.orders(), answers) == ([], ["unknown_order"])
    assert [row.order_id for row in shop.inbox().values()] == [None]


def buys(shop: Shop, stop: threading.Event, said: list[Exception]) -> None:
    """One buyer after another orders, pays and comes back, whatever happens to the orders."""
    while not stop.is_set():
        buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())
        try:
            number = shop.place(buyer=buyer)
            address = checkout.checkout_url(buyer, number)
            with suppress(Exception):  # what the emulator says of a session that is gone
                shop.stripe.pay(address.rpartition("/")[2])
            checkout.refresh_order(buyer, number)
            checkout.refresh_order(buyer, number)
            checkout.checkout_url(buyer, number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            said.append(error)


@pytest.mark.scenario("O3")
def test_a_fresh_demo_while_eight_buy_says_so_in_sentences_and_leaves_nothing_behind(
    connected: Shop,
) -> None:
    stop, said = threading.Event(), list[Exception]()
    crowd = [threading.Thread(target=buys, args=(connected, stop, said)) for _ in range(8)]
    for each in crowd:
        each.start()
    wait_until(lambda: len(connected.orders()) > 3, 20)
    times = []
    for _ in range(3):
        with suppress(NotApplicable):
            reset.reset_demo(EmulatorClient.current())
            times.append(clock.now())
    stop.set()
    for each in crowd:
        each.join()
    reset.reset_demo(EmulatorClient.current())
    number = connected.a_paid_order()

    assert times
    assert [error for error in said if not isinstance(error, StoreError)] == []
    assert [order.number for order in connected.orders()] == [number]
    assert [session.metadata["order_number"] for session in connected.sessions()] == [number]  # type: ignore[index]
    assert audit.audit().agrees


@pytest.mark.scenario("O3")
def test_a_session_created_during_a_reset_is_deleted_too(
    connected: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = connected.place()
    create, made = requests.create_checkout, list[threading.Thread]()

    def forgotten_before_it_is_asked(*asked: str) -> transport.StripeResponse:
        if not made:
            demo = threading.Thread(target=reset.reset_demo, args=(EmulatorClient.current(),))
            made.append(demo)
            demo.start()
            wait_until(lambda: not connected.orders(), 10)
        return create(*asked)

    monkeypatch.setattr(requests, "create_checkout", forgotten_before_it_is_asked)
    with pytest.raises(OrderNotFound):
        checkout.checkout_url(connected.buyer, number)
    made[0].join()

    assert (connected.orders(), connected.sessions()) == ([], [])


@pytest.mark.scenario("O3")
@pytest.mark.parametrize("read_before", ["settle", "open", "cancel", "operator", "refund", "note"])
def test_an_order_that_is_gone_since_it_was_read_is_not_found(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, read_before: str
) -> None:
    paid = read_before in ("settle", "refund", "note")
    number = shop.a_paid_order() if paid else shop.an_open_order()
    row = Refund(order_id=0, payment_intent_id="", amount=0, idempotency_key="")
    if read_before == "refund":
        row = refunds.create_refund(number, 100, key="form-1")
    acts: dict[str, Callable[[], object]] = {
        "settle": lambda: checkout.refresh_order(shop.buyer, number),
        "open": lambda: checkout.checkout_url(shop.buyer, number),
        "cancel": lambda: checkout.cancel(shop.buyer, number),
        "operator": lambda: actions.refresh_order("Ada", number),
        "refund": lambda: refunds.submit_refund(row, source="operator"),
        "note": lambda: actions.add_note("Ada", number, "Sent."),
    }
    begin = db.unit_of_work

    @contextmanager
    def forgotten_first() -> Iterator[Any]:
        with begin() as session:
            for table in reversed(SQLModel.metadata.sorted_tables):
                if table.name not in seeding.KEPT_TABLES:
                    session.connection().execute(table.delete())
        with begin() as session:
            yield session

    monkeypatch.setattr(db, "unit_of_work", forgotten_first)

    if read_before == "refund":  # Stripe's answer is about an order that does not exist any more
        acts[read_before]()
    else:
        with pytest.raises(OrderNotFound):
            acts[read_before]()


@ON_SQLITE
def test_a_silent_emulator_keeps_our_orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.place()
    alone = Rehearsal(shop.buyer, Rehearsals())
    monkeypatch.setattr(EmulatorClient, "current", classmethod(lambda cls: cls(NOBODY, "")))

    played(alone, alone.start_reset)

    assert alone.summary == "The emulator does not answer. Start everything with: python -m store"
    assert len(shop.orders()) == 1
