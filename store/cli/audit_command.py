"""`python -m store audit`: payments at Stripe beside ours, as a table or as JSON."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence

from store.cli import preflight
from store.cli.commands import stripe_errors
from store.core import money
from store.core.wording import counted
from store.reconciliation.audit import Audit, OrderComparison, OrderTotals, by_currency
from store.reconciliation.audit import audit as compare
from store.reconciliation.restored_orders import MissingOrder

HEAD = (
    *("order", "ours: paid", "refunded", "owed"),
    *("Stripe: paid", "refunded", "disputes", "difference"),
)


def audit(arguments: Namespace) -> int:
    """Print the comparison; the exit code is 0 if Stripe and the shop agree, else 1."""
    config = preflight.shop(arguments)
    with stripe_errors(config):
        result = compare()
    print(as_json(result) if arguments.json else "\n".join(table(result)))
    return 0 if result.agrees else 1


def as_json(result: Audit) -> str:
    document = {
        "agrees": result.agrees,
        "difference_amount": result.difference_amount,
        "orders": [entry.as_json() for entry in result.entries],
        "missing": [order.as_json() for order in result.missing],
        "unreadable": result.unreadable,
        "strangers": result.strangers,
    }
    return json.dumps(document, indent=2)


def table(result: Audit) -> Iterator[str]:
    entries = [
        entry for entry in result.entries if not entry.agrees or entry.stripes != OrderTotals()
    ]
    yield from columns([HEAD, *map(row, entries)])
    others = len(result.entries) - len(entries)
    yield f"\n{len(entries)} with payments, {others} without; {verdict(result)}"
    yield from missing(result.missing)
    if result.unreadable:
        yield "Stripe lists objects that cannot be read: " + ", ".join(result.unreadable[:20])
    if result.strangers:
        strangers = counted(len(result.strangers), "order")
        belong = "belongs" if len(result.strangers) == 1 else "belong"
        yield f"{strangers} at Stripe {belong} to another shop or database."


def missing(orders: Sequence[MissingOrder]) -> Iterator[str]:
    """The lines about orders of this shop that only Stripe has."""
    if not orders:
        return
    sums = [money.text(amount, code) for code, amount in by_currency(orders).items()]
    yield (
        f"\n{counted(len(orders), 'order')} of this shop {'is' if len(orders) == 1 else 'are'} at "
        "Stripe and missing here, "
        f"{' and '.join(sums) or 'nothing'} paid. Bring them back: python -m store reconcile"
    )
    yield from columns(
        [
            (order.number, amount_of(order), order.status, order.created_at, *order.sessions[:1])
            for order in orders
        ]
    )


def amount_of(order: MissingOrder) -> str:
    if order.amount is None or not order.currency:
        return "unknown amount"
    return money.text(order.amount, order.currency)


def row(entry: OrderComparison) -> tuple[str, ...]:
    """Amounts, and disputes as one count, or as both counts where they differ."""
    ours, stripes = entry.ours, entry.stripes
    amounts = (
        *(ours.paid_amount, ours.refunded_amount, ours.owed_amount),
        *(stripes.paid_amount, stripes.refunded_amount),
    )
    difference = money.text(entry.difference_amount, entry.currency)
    disputes = str(ours.disputes)
    if ours.disputes != stripes.disputes:
        disputes += f" ≠ {stripes.disputes}"
    if not entry.agrees and not entry.difference_amount and ours.disputes == stripes.disputes:
        difference += ", in different payments"
    prices = (money.text(amount, entry.currency) for amount in amounts)
    return (entry.number, *prices, disputes, difference)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def verdict(result: Audit) -> str:
    if result.agrees:
        return "Stripe and the shop agree."
    different = sum(not entry.agrees for entry in result.entries) + len(result.missing)
    owed = sum(entry.ours.owed_amount > 0 for entry in result.entries)
    refunds = f" Refunds are owed for {owed}." if owed else ""
    return f"Stripe and the shop differ in {different}.{refunds} Run: python -m store reconcile"
