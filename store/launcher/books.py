"""`python -m store audit`: Stripe's book and ours side by side, as a table or as JSON."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence

from store import money
from store.audit import Audit, Book, Entry
from store.audit import audit as read_both
from store.launcher import checks
from store.launcher.commands import from_stripe

HEAD = ("order", "ours: paid", "refunded", "Stripe: paid", "refunded", "difference")


def audit(arguments: Namespace) -> int:
    """0 where both books say the same of every order, 1 where they do not."""
    chosen = checks.settings_for(arguments)
    checks.database(chosen)
    with from_stripe(chosen):
        found = read_both()
    print(as_json(found) if arguments.json else "\n".join(table(found)))
    return 0 if found.agrees else 1


def as_json(found: Audit) -> str:
    document = {
        "agrees": found.agrees,
        "difference_amount": found.difference_amount,
        "orders": [entry.as_json() for entry in found.entries],
        "strangers": found.strangers,
    }
    return json.dumps(document, indent=2)


def table(found: Audit) -> Iterator[str]:
    told = [entry for entry in found.entries if not entry.agrees or entry.stripes != Book()]
    yield from columns([HEAD, *map(row, told)])
    silent = len(found.entries) - len(told)
    yield f"\n{len(told)} with payments, {silent} without; {verdict(found)}"
    if found.strangers:
        yield f"{len(found.strangers)} orders at Stripe belong to another shop or database."


def row(entry: Entry) -> tuple[str, ...]:
    """Disputes move no money here, so they are named only where the books disagree on them."""
    ours, stripes = entry.ours, entry.stripes
    amounts = (ours.paid_amount, ours.refunded_amount, stripes.paid_amount, stripes.refunded_amount)
    difference = money.text(entry.difference_amount, entry.currency)
    if ours.disputes != stripes.disputes:
        difference += f", disputes {ours.disputes} ≠ {stripes.disputes}"
    return (entry.number, *(money.text(a, entry.currency) for a in amounts), difference)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def verdict(found: Audit) -> str:
    if found.agrees:
        return "the books agree."
    different = sum(not entry.agrees for entry in found.entries)
    return f"the books disagree on {different}. Catch up first: python -m store reconcile"
