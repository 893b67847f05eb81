"""`expand`: replaces ids by the objects they name, up to four levels deep."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.resources import cash_balances, coupons, listing, session_totals
from stripe_emulator.storage.transaction import Transaction

MOST_LEVELS = 4
LISTS = ("list", "search_result")

EXPANDABLE = {
    "checkout.session": {
        "customer": "customer",
        "discounts.coupon": "coupon",
        "discounts.promotion_code": "promotion_code",
        "payment_intent": "payment_intent",
        "shipping_cost.shipping_rate": "shipping_rate",
        "shipping_options.shipping_rate": "shipping_rate",
    },
    "payment_intent": {
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
    },
    "charge": {
        "customer": "customer",
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
    "payment_method": {"customer": "customer"},
    "setup_intent": {
        "customer": "customer",
        "latest_attempt": "setup_attempt",
        "payment_method": "payment_method",
    },
    "setup_attempt": {
        "customer": "customer",
        "payment_method": "payment_method",
        "setup_intent": "setup_intent",
    },
    "promotion_code": {"customer": "customer", "promotion.coupon": "coupon"},
    "discount": {
        "customer": "customer",
        "promotion_code": "promotion_code",
        "source.coupon": "coupon",
    },
    "customer": {"invoice_settings.default_payment_method": "payment_method"},
    "customer_cash_balance_transaction": {
        "applied_to_payment.payment_intent": "payment_intent",
        "customer": "customer",
        "unapplied_from_payment.payment_intent": "payment_intent",
    },
    "price": {"product": "product"},
    "product": {"default_price": "price"},
    "balance_transaction": {"source": ""},
}
"""Field → kind of the object its id names; "" if it may be one of several kinds."""

_FILES = (
    *("cancellation_policy", "customer_communication", "customer_signature"),
    *("duplicate_charge_documentation", "receipt", "refund_policy", "service_documentation"),
    *("shipping_documentation", "uncategorized_file"),
)
_BANK_REDIRECTS = ("bancontact", "ideal", "sofort")
ALWAYS_NULL: dict[str, set[str]] = {
    "checkout.session": {
        *("invoice", "payment_link", "setup_intent", "subscription"),
        "automatic_tax.liability.account",
        "invoice_creation.invoice_data.account_tax_ids",
        "invoice_creation.invoice_data.issuer.account",
    },
    "payment_intent": {
        *("application", "on_behalf_of", "payment_record", "review", "source"),
        "transfer_data.destination",
    },
    "charge": {
        *("application", "application_fee", "on_behalf_of", "review", "transfer"),
        *("failure_balance_transaction", "source_transfer", "transfer_data.destination"),
        *("outcome.rule", "payment_method_details.card.mandate"),
        "payment_method_details.us_bank_account.mandate",
        *(f"payment_method_details.{name}.generated_sepa_debit" for name in _BANK_REDIRECTS),
        *(
            f"payment_method_details.{name}.generated_sepa_debit_mandate"
            for name in _BANK_REDIRECTS
        ),
    },
    "dispute": {f"evidence.{name}" for name in _FILES},
    "refund": {"customer", "source_transfer_reversal", "transfer_reversal"},
    "payment_method": {
        *("card.generated_from.setup_attempt", "sepa_debit.generated_from.charge"),
        "sepa_debit.generated_from.setup_attempt",
    },
    "customer": {"default_source", "test_clock"},
    "customer_cash_balance_transaction": {
        "adjusted_for_overdraft.balance_transaction",
        "adjusted_for_overdraft.linked_transaction",
        "refunded_from_payment.refund",
        "transferred_to_balance.balance_transaction",
    },
    "setup_intent": {"application", "mandate", "on_behalf_of", "single_use_mandate"},
    "setup_attempt": {
        *("application", "on_behalf_of"),
        *(
            f"payment_method_details.{method}.{name}"
            for method in ("bancontact", "ideal", "sofort")
            for name in ("generated_sepa_debit", "generated_sepa_debit_mandate")
        ),
        "payment_method_details.card_present.generated_card",
    },
    "product": {"tax_code"},
    "shipping_rate": {"tax_code"},
    "account": {
        *("company.verification.document.back", "company.verification.document.front"),
        *("settings.branding.icon", "settings.branding.logo"),
        "settings.invoices.default_account_tax_ids",
    },
}
"""Fields that can be expanded and are always null here."""

INSIDE: dict[str, set[str]] = {
    "checkout.session": {"customer_account", "discounts", "shipping_cost.taxes"},
    "payment_intent": {"customer_account"},
    "payment_method": {"customer_account"},
    "promotion_code": {"customer_account"},
    "setup_intent": {"customer_account"},
    "item": {"discounts", "price", "taxes"},
    "dispute": {"balance_transactions"},
    "event": {"data"},
}
"""Fields that may be named in `expand` and are returned in full anyway."""


def _line_items(tx: Transaction, session: StripeObject) -> StripeObject:
    return listing.line_items(tx, session["id"], {})


def _refunds(tx: Transaction, charge: StripeObject) -> StripeObject:
    url = f"/v1/charges/{charge['id']}/refunds"
    return listing.objects(tx, "refund", {"charge": charge["id"]}, url)


def _currency_options(_: Transaction, price: StripeObject) -> dict[str, StripeObject]:
    """Return the currency options of a price; here its own currency is the only one."""
    names = ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")
    return {price["currency"]: {name: price[name] for name in names}}


def _none_of(name: str) -> Callable[[Transaction, StripeObject], StripeObject]:
    """Return a function that returns an empty list of what is not imitated."""
    return lambda _, stripe_object: {
        "object": "list",
        "data": [],
        "has_more": False,
        "url": f"/v1/{stripe_object['object']}s/{stripe_object['id']}/{name}",
    }


INCLUDABLE: dict[str, dict[str, Callable[[Transaction, StripeObject], Any]]] = {
    "checkout.session": {
        "line_items": _line_items,
        "total_details.breakdown": session_totals.breakdown,
    },
    "coupon": {name: coupons.included(name) for name in ("applies_to", "currency_options")},
    "promotion_code": {"restrictions.currency_options": coupons.included("currency_options")},
    "shipping_rate": {"fixed_amount.currency_options": coupons.included("currency_options")},
    "charge": {"refunds": _refunds},
    "customer": {
        "cash_balance": lambda tx, customer: cash_balances.retrieve(tx, customer["id"]),
        **{name: _none_of(name) for name in ("sources", "subscriptions", "tax_ids")},
    },
    "price": {"currency_options": _currency_options, "tiers": lambda _, __: None},
}
"""Fields that are absent unless they are expanded; of lists the first ten elements."""

TABLES: tuple[Mapping[str, Collection[str]], ...] = (EXPANDABLE, ALWAYS_NULL, INSIDE, INCLUDABLE)


def expanded(tx: Transaction, stripe_object: StripeObject, paths: list[str]) -> StripeObject:
    """Return the object with these fields expanded. Raises InvalidRequest for any other field."""
    for path in paths:
        steps = path.split(".")
        if len(steps) - (stripe_object["object"] in LISTS) > MOST_LEVELS:
            raise InvalidRequest(
                f"You cannot expand more than {MOST_LEVELS} levels of a property: {path}.",
                param="expand",
            )
        _follow(tx, stripe_object, steps, path)
    return stripe_object


def _follow(tx: Transaction, stripe_object: Any, steps: list[str], path: str) -> None:
    """Expand the first field in place, then continue below it."""
    if not steps or stripe_object is None:
        return
    if isinstance(stripe_object, list):
        for element in stripe_object:
            _follow(tx, element, steps, path)
        return
    kind = _kind(stripe_object)
    if kind in LISTS and steps[0] == "data":
        _follow(tx, stripe_object["data"], steps[1:], path)
        return
    field = _field(kind, steps)
    if field is None:
        raise InvalidRequest(f"This property cannot be expanded ({path}).", param="expand")
    *above, name = field
    for holder in _holders(stripe_object, above):
        _show(tx, stripe_object, holder, ".".join(field))
        _follow(tx, holder.get(name), steps[len(field) :], path)


def _kind(stripe_object: Any) -> str:
    """Return the kind of a Stripe object; "" for anything else, such as the data of an event."""
    kind = stripe_object.get("object") if isinstance(stripe_object, dict) else None
    return kind if isinstance(kind, str) else ""


def _field(kind: str, steps: list[str]) -> list[str] | None:
    """Return the steps that form the name of a field of this kind, such as
    `total_details.breakdown`."""
    for count in range(len(steps), 0, -1):
        name = ".".join(steps[:count])
        if any(name in table.get(kind, ()) for table in TABLES):
            return steps[:count]
    return None


def _holders(stripe_object: Any, steps: list[str]) -> list[StripeObject]:
    """Return the objects that hold a field, one for each element of a list on the way to it."""
    if isinstance(stripe_object, list):
        return [holder for element in stripe_object for holder in _holders(element, steps)]
    if not isinstance(stripe_object, dict):
        return []
    return _holders(stripe_object.get(steps[0]), steps[1:]) if steps else [stripe_object]


def _show(tx: Transaction, stripe_object: StripeObject, holder: StripeObject, field: str) -> None:
    """Set a field to its expanded value."""
    kind, name = stripe_object["object"], field.rpartition(".")[2]
    includable = INCLUDABLE.get(kind, {}).get(field)
    if includable:
        holder.setdefault(name, includable(tx, stripe_object))
    elif field in EXPANDABLE.get(kind, {}) and isinstance(holder.get(name), str):
        holder[name] = tx.find(holder[name], EXPANDABLE[kind][field] or None)
