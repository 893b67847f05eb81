"""What a run of the tests did, counted where it happened, and the block that says so at its end.

Several processes may share a run: each counts for itself and sends what it counted to the first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

COUNTED: Counter[str] = Counter()
REPORTED: list[str] = []


def count(what: str, number: int = 1) -> None:
    COUNTED[what] += number


def report(line: str) -> None:
    """Print a line at the end of the run: what was measured."""
    REPORTED.append(line)


@dataclass(frozen=True)
class Payment:
    """Money that Stripe took; `kept` unless all of it went back."""

    payment_intent_id: str
    order_number: str
    kept: bool


def judge(payments: Iterable[Payment], known: Mapping[str, Iterable[str]]) -> None:
    """Count what was taken, what of it the shop does not know, and what was taken twice.

    `known` are the payments in the shop's own database, by order number. An order may keep one.

    Raises:
        AssertionError: a payment is lost, or an order kept two.
    """
    taken = list(payments)
    lost = [one for one in taken if one.payment_intent_id not in known.get(one.order_number, ())]
    kept = Counter(one.order_number for one in taken if one.kept)
    double = [order for order, number in kept.items() if number > 1]
    count("payments", len(taken))
    count("lost", len(lost))
    count("double", len(double))
    assert not lost, f"lost: {lost}"
    assert not double, f"double: {double}"


def sent() -> dict[str, Any]:
    """All that was counted here, as plain values for another process."""
    return {"counted": dict(COUNTED), "reported": list(REPORTED)}


def take_in(counted: Mapping[str, Any]) -> None:
    """Add what another process has sent."""
    COUNTED.update(counted["counted"])
    REPORTED.extend(counted["reported"])


# One line each: a name, the words that say what was counted, and what must have been counted.
LINES = (
    ("permutations", "{permutations:,} orders of delivering one payment's events", "permutations"),
    (
        "simulation",
        "{steps:,} random steps with {checks:,} checks of every invariant, {audits:,} audits, "
        "{deaths:,} deaths, {stuck passes:,} passes beside stuck objects",
        "steps",
    ),
    ("crashes", "{crashes:,}, one at each commit and each call of Stripe", "crashes"),
    ("kills", "{kills:,} of a process by SIGKILL, {database crashes:,} of a database", "kills"),
    ("guards", "{guards:,} removed one at a time, each missed by a test", "guards"),
    (
        "payments",
        "{payments:,} compared with Stripe: {lost:,} lost, {double:,} double",
        "payments",
    ),
)


def block(proven: int, named: int) -> Iterator[str]:
    """The lines at the end of a run; what was not counted has none."""
    yield f"scenarios     {proven} of {named} proven"
    for name, words, needed in LINES:
        if COUNTED[needed]:
            yield f"{name:<13} {words.format_map(COUNTED)}"
    yield from REPORTED
