"""Twenty-five sample orders, the same every time, created through the shop's own interfaces.

All of them are of today: the emulator's clock goes forward only, and to write other dates into
our book alone would make the two books differ.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from store import checkout, clock, reconcile, refunds
from store.demo.context import ScenarioContext
from store.demo.emulator_client import wait_until

DECLINED = "4000000000000002"
WEBHOOK_SECONDS = 5
LOOK_BACK = timedelta(minutes=10)


def _paid(context: ScenarioContext, number: str) -> None:
    context.pay(number)


def _declined_first(context: ScenarioContext, number: str) -> None:
    context.pay(number, DECLINED)
    context.pay(number)


def _debit(context: ScenarioContext, number: str, *, succeeded: bool) -> None:
    """A bank debit: Checkout completes at once, the money comes (or does not) later."""
    outcome = "succeeds" if succeeded else "fails"
    session_id = context.session_id(number)
    context.stripe.control("POST", f"sessions/{session_id}/pay_later", outcome=outcome)
    payment = context.payment_id(number)
    context.stripe.control("POST", f"payments/{payment}/settle", succeeded=succeeded)


def _late(context: ScenarioContext, number: str) -> None:
    _debit(context, number, succeeded=True)


def _failed(context: ScenarioContext, number: str) -> None:
    _debit(context, number, succeeded=False)


def _expired(context: ScenarioContext, number: str) -> None:
    context.stripe.post(f"checkout/sessions/{context.session_id(number)}/expire")


def _canceled(context: ScenarioContext, number: str) -> None:
    context.cancel(number)


def _refund(context: ScenarioContext, number: str, *amounts: int | None) -> None:
    context.pay(number)
    checkout.settle(context.buyer, number)
    for part, amount in enumerate(amounts):
        row = refunds.request(number, amount, key=f"sample-{number}-{part}")
        refunds.send(row, source="operator")


def _refunded(context: ScenarioContext, number: str) -> None:
    _refund(context, number, None)


def _partly_refunded(context: ScenarioContext, number: str) -> None:
    _refund(context, number, 1000)


def _refunded_in_parts(context: ScenarioContext, number: str) -> None:
    _refund(context, number, 500, 700)


def _dispute(context: ScenarioContext, number: str) -> str:
    context.pay(number)
    (charge,) = context.stripe.list_all("charges", payment_intent=context.payment_id(number))
    return str(context.stripe.control("POST", f"charges/{charge['id']}/dispute")["id"])


def _disputed(context: ScenarioContext, number: str) -> None:
    _dispute(context, number)


def _dispute_won(context: ScenarioContext, number: str) -> None:
    dispute = _dispute(context, number)
    context.stripe.control("POST", f"disputes/{dispute}/close", won=True)


# How an order goes on after the click, and the status that it ends in.
ENDINGS: dict[str, tuple[Callable[[ScenarioContext, str], None], str]] = {
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


def create(context: ScenarioContext) -> Iterator[str]:
    """Make them one after the other; yields the status that each one really ended in.

    Raises:
        StoreError: the shop could not sell something; those already made stay.
    """
    for sample in SAMPLES:
        act, status = ENDINGS[sample.ending]
        number = context.open(sample.cart)
        act(context, number)
        checkout.settle(context.buyer, number)
        settled = wait_until(lambda n=number, s=status: _has_become(context, n, s), WEBHOOK_SECONDS)  # type: ignore[misc]
        if not settled:  # no webhook process: then as the shop does without one
            reconcile.run_once(clock.now() - LOOK_BACK)
        yield context.order(number).status


def _has_become(context: ScenarioContext, number: str, status: str) -> bool:
    return context.order(number).status == status


def as_planned(statuses: list[str]) -> bool:
    return statuses == [ENDINGS[sample.ending][1] for sample in SAMPLES]


def counts(statuses: list[str]) -> str:
    """ "14 paid, 3 refunded, …", the most frequent first."""
    counted = Counter(statuses).most_common()
    return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counted)
