"""`python -m store audit`: Stripe's book and ours side by side, as a table or as JSON."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence

from store.cli import preflight
from store.cli.commands import from_stripe
from store.core import money
from store.core.wording import counted
from store.reconciliation.audit import Audit, Book, Entry, by_currency
from store.reconciliation.audit import audit as read_both
from store.reconciliation.restored_orders import MissingOrder

HEAD = (
    *("order", "ours: paid", "refunded", "owed"),
    *("Stripe: paid", "refunded", "disputes", "difference"),
)


def audit(arguments: Namespace) -> int:
    """0 where both records say the same of every payment, 1 where they do not."""
    chosen = preflight.settings_for(arguments)
    preflight.shop_database(chosen)
    with from_stripe(chosen):
        found = read_both()
    print(as_json(found) if arguments.json else "\n".join(table(found)))
    return 0 if found.agrees else 1


def as_json(found: Audit) -> str:
    document = {
        "agrees": found.agrees,
        "difference_amount": found.difference_amount,
        "orders": [entry.as_json() for entry in found.entries],
        "missing": [order.as_json() for order in found.missing],
        "unreadable": found.unreadable,
        "strangers": found.strangers,
    }
    return json.dumps(document, indent=2)


def table(found: Audit) -> Iterator[str]:
    told = [entry for entry in found.entries if not entry.agrees or entry.stripes != Book()]
    yield from columns([HEAD, *map(row, told)])
    silent = len(found.entries) - len(told)
    yield f"\n{len(told)} with payments, {silent} without; {verdict(found)}"
    yield from missing(found.missing)
    if found.unreadable:
        yield "Stripe lists what cannot be read: " + ", ".join(found.unreadable[:20])
    if found.strangers:
        strangers = counted(len(found.strangers), "order")
        belong = "belongs" if len(found.strangers) == 1 else "belong"
        yield f"{strangers} at Stripe {belong} to another shop or database."


def missing(orders: Sequence[MissingOrder]) -> Iterator[str]:
    """What Stripe has under this shop's mark, and the database has not."""
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


def row(entry: Entry) -> tuple[str, ...]:
    """Amounts, and disputes as one count, or as ours and Stripe's where they differ."""
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
    shown = (money.text(amount, entry.currency) for amount in amounts)
    return (entry.number, *shown, disputes, difference)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def verdict(found: Audit) -> str:
    if found.agrees:
        return "the books agree."
    different = sum(not entry.agrees for entry in found.entries) + len(found.missing)
    owed = sum(entry.ours.owed_amount > 0 for entry in found.entries)
    told = f" Refunds are owed for {owed}." if owed else ""
    return f"the books disagree on {different}.{told} Catch up first: python -m store reconcile"
