"""The troubles of clicks, of Stripe's answers, of processes and of refunds."""

import time

from store import checkout, gateway, refunds
from store.errors import StoreError, StripeError
from store.rehearsal.errors import Untried
from store.rehearsal.evidence import BothBooks
from store.rehearsal.stage import Seen, Stage, at_once
from store.rehearsal.stand_in import until
from store.rehearsal.webhook_door import UP_SECONDS, Answer

TABS = 2
RETRY_SECONDS = 30  # the emulator tries again after 1, 2, 4 and 8 seconds
CREATE = "POST /v1/checkout/sessions"


def two_tabs(stage: Stage) -> Seen:
    """The same cart is paid from two tabs in the same moment."""
    stage.clear()

    def click() -> tuple[str, str]:
        number = stage.press_pay()
        return number, checkout.open_checkout(stage.buyer, number)

    tabs = at_once([click] * TABS)
    for tab in tabs:
        if isinstance(tab, StoreError):
            raise tab
    reached = sorted({tab for tab in tabs if isinstance(tab, tuple)})
    met = sorted({number for number, _ in reached})
    stage.numbers += met
    stage.pay(met[0])
    stage.becomes(met[0], "paid")
    books = [stage.books(number) for number in met]
    sessions = sum(len(book.sessions) for book in books)
    got = ", ".join(
        [_count(len(met), "order"), _count(sessions, "checkout"), *map(_charges, books)]
    )
    paid_once = [book.charged_amounts for book in books] == [[stage.order(met[0]).total_amount]]
    return Seen(met[0], got, len(reached) == sessions == 1 and paid_once)


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _charges(book: BothBooks) -> str:
    return _count(len(book.charged_amounts), "charge")


def dropped_answer(stage: Stage) -> Seen:
    """Stripe makes the checkout, and each of its answers gets lost on the way back."""
    number = stage.place()
    trouble = stage.stripe.cause("request", "cut", CREATE, times=1 + gateway.RETRIES)
    told = False
    try:
        checkout.open_checkout(stage.buyer, number)
    except StripeError:
        told = True
    finally:
        stage.stripe.calm(trouble)
    checkout.open_checkout(stage.buyer, number)
    if not told:
        raise Untried("Somebody else's click met this trouble. Try again in a quiet moment.")
    stage.pay(number)
    stage.becomes(number, "paid")
    book = stage.books(number)
    got = f"told to try again; then {_count(len(book.sessions), 'checkout')}, {_charges(book)}"
    same = book.sessions == [stage.session_id(number)]
    return Seen(number, got, same and book.status == "paid")


def sidecar_stopped(stage: Stage) -> Seen:
    """The webhook process is killed; meanwhile somebody pays and comes back to the shop."""
    door = stage.door
    number = stage.open()
    door.stop()
    stage.pay(number)
    event = stage.stripe.completed(stage.session_id(number))
    tried = [a for one in stage.stripe.deliveries(event["id"]) for a in one["attempts"]]
    checkout.settle(stage.buyer, number)
    book = stage.books(number)
    stopped_at = time.monotonic()
    is_back = until(door.is_open, UP_SECONDS)
    seconds = time.monotonic() - stopped_at
    if any(attempt["status"] for attempt in tried):
        raise Untried("The webhook process was back before anybody had paid. Try again.")
    got = f"{book.status} by {' and '.join(book.settlings) or 'nobody'}"
    if not is_back:
        return Seen(number, f"{got}; the process did not come back", held=False)
    late = _late_delivery(stage, event["id"])
    got += f"; back after {seconds:.0f} s, late webhook {late.words}"
    without = book.status == "paid" and "webhook" not in book.settlings
    return Seen(number, got, without and late.status == 200)


def _late_delivery(stage: Stage, event_id: str) -> Answer:
    """What the webhook that nobody took at first came to in the end."""
    answers: list[Answer] = []

    def has_arrived() -> bool:
        attempts = [a for one in stage.stripe.deliveries(event_id) for a in one["attempts"]]
        answers[:] = [Answer.of(a["status"], a["body"]) for a in attempts if a["status"] == 200]
        return bool(answers)

    return answers[0] if until(has_arrived, RETRY_SECONDS) else Answer(0, "")


def refund_twice(stage: Stage) -> Seen:
    """Two people give all of the money back in the same moment."""
    number = stage.paid()

    def refund(person: int) -> None:
        row = refunds.request(number, None, key=f"rehearsal-{number}-{person}")
        refunds.send(row, source="operator")

    answers = at_once([lambda: refund(1), lambda: refund(2)])
    told = [f"1 told “{answer}”" for answer in answers if isinstance(answer, StoreError)]
    book = stage.books(number)
    given = len(book.given_back_amounts)
    got = "; ".join([_count(given, "refund"), *(told or ["nobody told"])])
    return Seen(number, got, given == book.refunds == len(told) == 1 and book.status == "refunded")
