"""Twenty-five sample orders, the same every time, made through the shop's real doors.

All of them are of today: the emulator's clock goes forward only, and to write other dates into
our book alone would make the two books differ.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from store import checkout, clock, reconcile, refunds
from store.rehearsal.stage import Stage
from store.rehearsal.stand_in import until

DECLINED = "4000000000000002"
WEBHOOK_SECONDS = 5
LOOK_BACK = timedelta(minutes=10)


def _paid(stage: Stage, number: str) -> None:
    stage.pay(number)


def _declined_first(stage: Stage, number: str) -> None:
    stage.pay(number, DECLINED)
    stage.pay(number)


def _debit(stage: Stage, number: str, *, succeeded: bool) -> None:
    """A bank debit: Checkout completes at once, the money comes (or does not) later."""
    outcome = "succeeds" if succeeded else "fails"
    session_id = stage.session_id(number)
    stage.stripe.control("POST", f"sessions/{session_id}/pay_later", outcome=outcome)
    payment = stage.payment_id(number)
    stage.stripe.control("POST", f"payments/{payment}/settle", succeeded=succeeded)


def _late(stage: Stage, number: str) -> None:
    _debit(stage, number, succeeded=True)


def _failed(stage: Stage, number: str) -> None:
    _debit(stage, number, succeeded=False)


def _expired(stage: Stage, number: str) -> None:
    stage.stripe.post(f"checkout/sessions/{stage.session_id(number)}/expire")


def _canceled(stage: Stage, number: str) -> None:
    stage.cancel(number)


def _give_back(stage: Stage, number: str, *parts: int | None) -> None:
    stage.pay(number)
    checkout.settle(stage.buyer, number)
    for place, amount in enumerate(parts):
        row = refunds.request(number, amount, key=f"sample-{number}-{place}")
        refunds.send(row, source="operator")


def _refunded(stage: Stage, number: str) -> None:
    _give_back(stage, number, None)


def _partly_refunded(stage: Stage, number: str) -> None:
    _give_back(stage, number, 1000)


def _refunded_in_parts(stage: Stage, number: str) -> None:
    _give_back(stage, number, 500, 700)


def _dispute(stage: Stage, number: str) -> str:
    stage.pay(number)
    (charge,) = stage.stripe.every("charges", payment_intent=stage.payment_id(number))
    return str(stage.stripe.control("POST", f"charges/{charge['id']}/dispute")["id"])


def _disputed(stage: Stage, number: str) -> None:
    _dispute(stage, number)


def _dispute_won(stage: Stage, number: str) -> None:
    dispute = _dispute(stage, number)
    stage.stripe.control("POST", f"disputes/{dispute}/close", won=True)


# How an order goes on after the click, and the status that it ends in.
ENDINGS: dict[str, tuple[Callable[[Stage, str], None], str]] = {
    "paid": (_paid, "paid"),
    "declined first": (_declined_first, "paid"),
    "late payment": (_late, "paid"),
    "dispute won": (_dispute_won, "paid"),
    "disputed": (_disputed, "disputed"),
    "refunded": (_refunded, "refunded"),
    "partly refunded": (_partly_refunded, "partially_refunded"),
    "refunded in parts": (_refunded_in_parts, "partially_refunded"),
    "failed": (_failed, "failed"),
    "expired": (_expired, "expired"),
    "canceled": (_canceled, "canceled"),
}
SHIRT, JEANS, SNEAKERS = "red-t-shirt", "blue-jeans", "sneakers"


@dataclass(frozen=True)
class Sample:
    ending: str
    cart: dict[str, int]


SAMPLES = (
    Sample("paid", {SHIRT: 2}),
    Sample("paid", {JEANS: 1}),
    Sample("expired", {SHIRT: 1, SNEAKERS: 1}),
    Sample("paid", {SNEAKERS: 1}),
    Sample("refunded", {JEANS: 1}),
    Sample("paid", {SHIRT: 3, JEANS: 1}),
    Sample("late payment", {SNEAKERS: 2}),
    Sample("canceled", {SHIRT: 10}),
    Sample("paid", {SHIRT: 1}),
    Sample("partly refunded", {SHIRT: 2, SNEAKERS: 1}),
    Sample("declined first", {JEANS: 2}),
    Sample("paid", {SNEAKERS: 1, JEANS: 1}),
    Sample("disputed", {SNEAKERS: 3}),
    Sample("paid", {SHIRT: 1, JEANS: 1, SNEAKERS: 1}),
    Sample("failed", {JEANS: 3}),
    Sample("refunded", {SHIRT: 1}),
    Sample("paid", {SHIRT: 4}),
    Sample("refunded in parts", {JEANS: 1, SNEAKERS: 1}),
    Sample("expired", {SNEAKERS: 1}),
    Sample("dispute won", {SHIRT: 2, JEANS: 2}),
    Sample("paid", {JEANS: 1, SHIRT: 1}),
    Sample("canceled", {JEANS: 1}),
    Sample("partly refunded", {SNEAKERS: 2}),
    Sample("refunded", {SHIRT: 1, SNEAKERS: 1}),
    Sample("paid", {SHIRT: 2, SNEAKERS: 2}),
)


def make(stage: Stage) -> Iterator[str]:
    """Make them one after the other; yields the status that each one really ended in.

    Raises:
        StoreError: the shop could not sell something; those already made stay.
    """
    for sample in SAMPLES:
        act, status = ENDINGS[sample.ending]
        number = stage.open(sample.cart)
        act(stage, number)
        checkout.settle(stage.buyer, number)
        settled = until(lambda n=number, s=status: _has_become(stage, n, s), WEBHOOK_SECONDS)  # type: ignore[misc]
        if not settled:  # no webhook process: then as the shop does without one
            reconcile.run_once(clock.now() - LOOK_BACK)
        yield stage.order(number).status


def _has_become(stage: Stage, number: str, status: str) -> bool:
    return stage.order(number).status == status


def as_planned(statuses: list[str]) -> bool:
    return statuses == [ENDINGS[sample.ending][1] for sample in SAMPLES]


def in_words(statuses: list[str]) -> str:
    """ "14 paid, 3 refunded, …", the most frequent first."""
    counted = Counter(statuses).most_common()
    return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counted)
