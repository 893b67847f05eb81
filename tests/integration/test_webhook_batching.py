"""Many events share a commit, with the effect of one after the other and a bounded queue."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, SQLModel, col, select

import webhook_server
from store.db import engine as db
from store.db.models import Dispute, HistoryEntry, Order, OrderCheck, Refund, StripeEvent
from store.orders import transitions
from store.orders.stripe_facts import CheckoutFact, DisputeFact, Fact, ReceiptFact, RefundFact
from store.webhooks import batch_queue, parsing, processing
from store.webhooks.parsing import ParsedEvent
from store.webhooks.processing import Outcome
from tests.support import event_loops
from tests.support import sample_event as ready_made
from tests.support import sample_shop as stock
from tests.support.load_generator import Job, Load, LoadResult
from tests.support.ports import free_port
from tests.support.shop import SECRET, Shop, at_once
from tests.support.waiting import wait_for_page, wait_until

LONG_SECONDS = 60
SOON_SECONDS = 10


@pytest.fixture
def patient(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop that waits for a lock as long as this test holds it, on a slow machine too."""
    monkeypatch.setattr(db, "LOCK_SECONDS", LONG_SECONDS)
    db.engine().dispose()
    db.engine_for.cache_clear()
    return shop


@contextmanager
def held_up() -> Iterator[None]:
    """Nobody can take in an event meanwhile."""
    with db.unit_of_work() as session:
        if db.engine().dialect.name == "postgresql":
            session.connection().exec_driver_sql("LOCK TABLE stripe_events IN EXCLUSIVE MODE")
        yield


# --- how many may come ----------------------------------------------------------------------


@pytest.mark.scenario("D16")
def test_five_hundred_at_once_are_each_answered_once_and_paid_once(shop: Shop) -> None:
    stock.fill(0, 500)

    met = send_load(shop.server.client.base_url.port or 0, connections=500, count=500)

    assert met.statuses == {"200": 500}
    with db.reading() as session:
        assert set(session.exec(select(Order.status))) == {"paid"}
        assert len(session.exec(select(HistoryEntry.order_id)).all()) == 500
        assert set(session.exec(select(StripeEvent.deliveries))) == {1}


@pytest.mark.scenario("D16")
def test_a_full_queue_answers_503_with_retry_after(
    patient: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = patient
    monkeypatch.setattr(batch_queue, "MAX_IN_FLIGHT", 3)
    several = [an_event_of_no_interest(f"evt_{place}") for place in range(4)]

    with ThreadPoolExecutor(10) as pool:
        with held_up():
            inside = [pool.submit(shop.deliver, event) for event in several[:3]]
            wait_until(lambda: webhook_server.batcher._in_flight == 3)
            refused = pool.submit(shop.deliver, several[3]).result(SOON_SECONDS)
        answers = [each.result() for each in inside]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "Send this one again" in refused.json()["error"]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert shop.outcome(several[3]) == "ignored"


def test_a_single_event_is_committed_without_delay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[None] = []
    gather = "_wait_for_more"
    monkeypatch.setattr(batch_queue.EventBatcher, gather, lambda _self: waited.append(None))
    shop.outcome(an_event_of_no_interest("evt_first"))
    waited.clear()

    outcomes = [shop.outcome(an_event_of_no_interest(f"evt_{place}")) for place in range(5)]

    assert (outcomes, waited) == (["ignored"] * 5, [])


def an_event_of_no_interest(name: str) -> dict[str, Any]:
    more = {"type": "invoice.paid", "created": 1, "data": {"object": {"id": "in_1"}}}
    return {"object": "event", "id": name, "livemode": False, **more}


def send_load(
    port: int, *, connections: int, count: int, seconds: float = LONG_SECONDS
) -> LoadResult:
    """Post the events of the first `count` orders in stock, over so many connections."""
    job = Job(
        port=port,
        path="/webhooks/stripe/",
        connections=connections,
        seconds=seconds,
        first=0,
        count=count,
        secret=SECRET,
        template=ready_made.template(),
        marks=ready_made.MARKS,
    )
    return event_loops.run(Load(job).run())


# --- each for itself ------------------------------------------------------------------------


@pytest.mark.scenario("E2", "D10", "J9")
def test_an_event_that_the_database_refuses_is_alone_for_review(patient: Shop) -> None:
    """Two orders cannot have one payment; the second event that says so meets the constraint."""
    shop = patient
    stock.fill(0, 8)
    good = [a_payment(place) for place in range(7)]
    bad = a_payment(7, payment_intent_id=good[0]["data"]["object"]["payment_intent"])
    assert shop.outcome(good[0]) == "applied"

    with ThreadPoolExecutor(10) as pool:
        with held_up():  # so that they gather into one batch
            several = [pool.submit(shop.deliver, event) for event in [*good[1:], bad]]
            wait_until(lambda: webhook_server.batcher._in_flight == 7)
        statuses = [each.result().status_code for each in several]

    assert statuses == [200] * 7
    assert [order.status for order in shop.orders()] == ["paid"] * 7 + ["review"]
    assert shop.inbox()[bad["id"]].outcome == "review"
    assert shop.outcome(bad) == "duplicate"


def a_payment(place: int, **changes: Any) -> dict[str, Any]:
    return {
        "object": "event",
        "id": f"evt_{place}",
        "type": "checkout.session.completed",
        "created": 1_800_000_000,
        "livemode": False,
        "data": {
            "object": {
                "id": stock.session_id(place),
                "status": "complete",
                "payment_status": "paid",
                "amount_total": stock.AMOUNT,
                "currency": "usd",
                "livemode": False,
                "payment_intent": changes.get("payment_intent_id", f"pi_{place}"),
                "metadata": {"order_number": stock.number(place)},
            }
        },
    }


@pytest.mark.scenario("E7", "C5")
def test_a_batch_waits_for_another_about_the_same_order(shop: Shop) -> None:
    """The second counts what went back only after the first has written what it knows of."""
    stock.fill(0, 1, "paid")
    started = threading.Event()

    def second() -> None:
        with db.unit_of_work() as session:
            started.set()
            transitions.apply_facts(session, [a_refund("re_2", 500)], source="reconciler")

    other = threading.Thread(target=second)
    with db.unit_of_work() as session:
        transitions.apply_facts(session, [a_refund("re_1", 1000)], source="webhook")
        other.start()
        if db.engine().dialect.name == "postgresql":  # on SQLite it cannot even begin
            started.wait(LONG_SECONDS)
        other.join(0.3)
        waited = other.is_alive()
    other.join(LONG_SECONDS)

    assert waited
    assert [order.refunded_amount for order in shop.orders()] == [1500]


def a_refund(name: str, amount: int, place: int = 0) -> RefundFact:
    return RefundFact(
        order_number=stock.number(place),
        origin="evt",
        refund_id=name,
        payment_intent_id=f"pi_bench{place:020}",
        amount=amount,
        currency="usd",
        status="succeeded",
    )


@pytest.mark.scenario("C5", "E7")
def test_batches_of_the_same_events_in_any_order_never_stand_in_each_others_way(
    shop: Shop,
) -> None:
    """Events of orders and of none, seen before or not, from six workers at once."""
    stock.fill(0, 10)
    events = [parsing.parse_event(a_payment(place)) for place in range(10)]
    events += [
        parsing.parse_event(an_event_of_no_interest(f"evt_other_{place}")) for place in range(10)
    ]
    with db.unit_of_work() as session:
        processing.record_events(session, events[::3], source="webhook")

    def work(place: int) -> list[Outcome]:
        batch = events[place:] + events[:place] if place % 2 else events[::-1]
        with db.unit_of_work() as session:
            return processing.record_events(session, batch, source="webhook")

    results = at_once(6, work)

    outcomes = [outcome for mine in results for outcome in mine]
    assert outcomes.count("duplicate") == 5 * len(events) + len(events[::3])
    assert {row.deliveries - 6 for row in shop.inbox().values()} == {0, 1}
    assert [len(shop.history(stock.number(place))) for place in range(10)] == [1] * 10


# --- a batch is as good as each alone -------------------------------------------------------

PLACES = st.integers(0, 2)
NAMES = st.integers(0, 5).map(lambda name: f"evt_{name}")
AMOUNTS = st.sampled_from([stock.AMOUNT, stock.AMOUNT, 1000])
STATES = [
    ("open", "unpaid"),
    ("complete", "paid"),
    ("complete", "unpaid"),
    ("complete", "failed"),
    ("expired", "unpaid"),
]


@st.composite
def facts(draw: st.DrawFn) -> Fact | None:
    """Anything that Stripe may say about one of three orders, one of which is not ours."""
    place = draw(PLACES)
    known: dict[str, Any] = {"order_number": stock.number(place), "origin": draw(NAMES)}
    payment = f"pi_bench{place:020}"
    kind = draw(st.sampled_from(["checkout", "stray", "refund", "dispute", "receipt", "none"]))
    if kind in ("checkout", "stray"):
        status, paid = draw(st.sampled_from(STATES))
        return CheckoutFact(
            **known,
            session_id=stock.session_id(place) if kind == "checkout" else "cs_test_stray",
            status=status,
            payment_status=paid,
            amount=draw(AMOUNTS),
            currency="usd",
            livemode=False,
            payment_intent_id=payment if kind == "checkout" else f"pi_stray_{place}",
            checked=True,
        )
    known |= {"checked": True, "currency": "usd"}
    if kind in ("refund", "dispute"):
        known["captured_amount"] = stock.AMOUNT
    if kind == "refund":
        status = draw(st.sampled_from(["pending", "succeeded", "failed"]))
        name = f"re_{place}_{draw(st.integers(0, 1))}"
        return RefundFact(
            **known, refund_id=name, payment_intent_id=payment, amount=1000, status=status
        )
    if kind == "dispute":
        status = draw(st.sampled_from(["needs_response", "lost", "won"]))
        return DisputeFact(
            **known,
            dispute_id=f"dp_{place}",
            payment_intent_id=payment,
            amount=1000,
            livemode=False,
            status=status,
        )
    if kind == "receipt":
        return ReceiptFact(
            **known,
            receipt_url="https://r",
            payment_intent_id=payment,
            amount=draw(AMOUNTS),
            livemode=False,
        )
    return None


@st.composite
def some_events(draw: st.DrawFn) -> ParsedEvent:
    fact = draw(facts())
    return ParsedEvent(
        id=draw(NAMES),
        type="checkout.session.completed" if fact else "t",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        livemode=fact is None and draw(st.booleans()),
        fact=fact,
    )


@st.composite
def event_lists(draw: st.DrawFn) -> list[ParsedEvent]:
    """Some events, each any number of times, in any order."""
    different = draw(st.lists(some_events(), min_size=1, unique_by=lambda event: event.id))
    return draw(st.lists(st.sampled_from(different), max_size=12))


@pytest.mark.scenario("H2", "C6")
@given(events=event_lists())
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_batch_has_the_effect_of_its_events_one_after_the_other(
    settled: None, events: list[ParsedEvent]
) -> None:
    """Two of the three orders are in the database; the events are any, with any repetition."""
    alone = after([[event] for event in events])
    together = after([events])
    in_pieces = after([events[:5], events[5:]])

    assert together == alone
    assert in_pieces == alone


def after(batches: Sequence[Sequence[ParsedEvent]]) -> tuple[list[Outcome], dict[str, list[Any]]]:
    """What is answered to these batches, and all that is then written anywhere."""
    with db.unit_of_work() as session:
        for model in (OrderCheck, HistoryEntry, Refund, Dispute, StripeEvent, Order):
            session.connection().execute(SQLModel.metadata.tables[model.__tablename__].delete())
    stock.fill(0, 2)
    outcomes: list[Outcome] = []
    for batch in batches:
        with db.unit_of_work() as session:
            outcomes += processing.record_events(session, batch, source="webhook")
    with db.reading() as session:
        return outcomes, {
            model.__name__: written(session, model)
            for model in (Order, HistoryEntry, Refund, Dispute, StripeEvent, OrderCheck)
        }


def written(session: Session, model: Any) -> list[Any]:
    """The rows of a table without the moments and numbers of this run; a number names its order."""
    numbers = dict(session.exec(select(Order.id, Order.number)).all())
    rows = []
    for row in session.exec(select(model).order_by(col(model.id))):
        shown = {name: value for name, value in row.model_dump().items() if name[-3:] != "_at"}
        shown["order_id"] = numbers.get(shown.get("order_id"))
        shown["paid"] = getattr(row, "paid_at", None) is not None
        if model is not StripeEvent:
            del shown["id"]
        rows.append({name: value for name, value in shown.items() if name != "at"})
    return rows


# --- kill -9 --------------------------------------------------------------------------------


@contextmanager
def a_webhook_server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The webhook server as a process of its own, with the settings of this test."""
    command = [sys.executable, "-m", "uvicorn", "webhook_server:app", "--port", str(port)]
    process = subprocess.Popen([*command, "--no-access-log", "--log-level", "error"])
    try:
        wait_for_page(f"http://127.0.0.1:{port}/readyz", process)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.scenario("E1")
def test_kill_9_in_the_middle_loses_nothing_that_was_answered(shop: Shop) -> None:
    count = 2000
    stock.fill(0, count)
    port = free_port()
    with a_webhook_server(port) as process:

        def kill_when_busy() -> None:
            wait_until(lambda: len(shop.inbox()) > 100)
            process.send_signal(signal.SIGKILL)

        killer = threading.Thread(target=kill_when_busy)
        killer.start()
        met = send_load(port, connections=32, count=count)
        killer.join()

    kept, paid = set(shop.inbox()), {order.number for order in shop.orders() if order.paid_at}
    assert 0 < len(met.accepted) < count
    assert {f"evt_bench{place:020}" for place in met.accepted} <= kept
    assert {stock.number(place) for place in met.accepted} <= paid
    assert len(kept) == len(paid)
    again = send_load(shop.server.client.base_url.port or 0, connections=32, count=count)
    assert again.statuses == {"200": count}
    assert all(order.status == "paid" for order in shop.orders())
    assert {row.deliveries for row in shop.inbox().values()} <= {1, 2}
