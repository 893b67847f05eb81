"""`expand`: ids become the objects they name, up to four levels deep."""

from collections.abc import Callable
from typing import Any

from store.emulator import lists
from store.emulator.books import Books
from store.emulator.errors import InvalidRequest
from store.emulator.records import StripeObject

MOST_LEVELS = 4

EXPANDABLE = {
    "checkout.session": {"payment_intent": "payment_intent"},
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method"},
    "charge": {
        "balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "price": {"product": "product"},
    "product": {"default_price": "price"},
    "balance_transaction": {"source": ""},
}
"""Field → kind of the object its id names; "" where it may be one of several."""

ALWAYS_NULL = {
    "checkout.session": {"customer", "invoice", "payment_link", "setup_intent", "subscription"},
    "payment_intent": {"application", "customer", "on_behalf_of", "payment_record", "review"},
    "charge": {"application", "application_fee", "customer", "on_behalf_of", "review", "transfer"}
    | {"failure_balance_transaction", "source_transfer"},
    "refund": {"source_transfer_reversal", "transfer_reversal"},
    "payment_method": {"customer"},
    "product": {"tax_code"},
}
"""Fields that can be expanded and that here never hold anything."""

INSIDE = {"item": {"price"}, "dispute": {"balance_transactions"}, "event": {"data"}}
"""Fields that hold whole objects as they are."""


def _line_items(books: Books, session: StripeObject) -> StripeObject:
    return lists.line_items(books, session["id"], {})


def _refunds(books: Books, charge: StripeObject) -> StripeObject:
    url = f"/v1/charges/{charge['id']}/refunds"
    return lists.objects(books, "refund", {"charge": charge["id"]}, url)


INCLUDABLE: dict[str, dict[str, Callable[[Books, StripeObject], StripeObject]]] = {
    "checkout.session": {"line_items": _line_items},
    "charge": {"refunds": _refunds},
}
"""Lists that are absent unless they are asked for; ten elements at most."""


def expanded(books: Books, thing: StripeObject, paths: list[str]) -> StripeObject:
    """The object with these fields expanded. Raises InvalidRequest for any other field."""
    for path in paths:
        steps = path.split(".")
        if len(steps) - (thing["object"] == "list") > MOST_LEVELS:
            raise InvalidRequest(
                f"You cannot expand more than {MOST_LEVELS} levels of a property: {path}.",
                param="expand",
            )
        _follow(books, thing, steps, path)
    return thing


def _follow(books: Books, thing: Any, steps: list[str], path: str) -> None:
    """Expand the first step in place, then go on below it."""
    if not steps or thing is None:
        return
    if isinstance(thing, list):
        for element in thing:
            _follow(books, element, steps, path)
        return
    step, rest = steps[0], steps[1:]
    kind = thing.get("object", "")
    if kind == "list" and step == "data":
        _follow(books, thing["data"], rest, path)
        return
    includable = INCLUDABLE.get(kind, {}).get(step)
    if includable:
        thing.setdefault(step, includable(books, thing))
    elif step in EXPANDABLE.get(kind, {}):
        _expand(books, thing, step, EXPANDABLE[kind][step])
    elif step not in ALWAYS_NULL.get(kind, ()) and step not in INSIDE.get(kind, ()):
        raise InvalidRequest(f"This property cannot be expanded ({path}).", param="expand")
    _follow(books, thing.get(step), rest, path)


def _expand(books: Books, thing: StripeObject, step: str, kind: str) -> None:
    if isinstance(thing.get(step), str):
        thing[step] = books.find(thing[step], kind or None)
