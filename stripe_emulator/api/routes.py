"""Every call the emulator answers, in one table: method and path → handler.

Its keys are those of `parameters.json`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stripe_emulator.api import not_imitated
from stripe_emulator.base.errors import NotFound
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import (
    accounts,
    balance,
    cash_balances,
    charges,
    checkout_sessions,
    coupons,
    customers,
    disputes,
    events,
    listing,
    payment_intents,
    payment_methods,
    prices,
    products,
    refunds,
    search,
    setup_intents,
    shipping_rates,
    webhook_endpoints,
)
from stripe_emulator.storage.transaction import Transaction
from stripe_emulator.stripe_cli import payment_pages, sessions
from stripe_emulator.webhooks import deliveries

Handler = Callable[[Transaction, str, Parameters], StripeObject]
"""(transaction, id from the path or "", parameters) → the response, unexpanded."""


def _retriever(kind: str, param: str) -> Handler:
    return lambda tx, object_id, _: tx.get(object_id, kind, param)


def _lister(kind: str, url: str) -> Handler:
    return lambda tx, _, params: listing.objects(tx, kind, params, url)


def _updater(
    kind: str, param: str, change: Callable[[Transaction, StripeObject, Parameters], StripeObject]
) -> Handler:
    return lambda tx, object_id, params: change(tx, tx.get(object_id, kind, param), params)


def _deleter(
    kind: str, param: str, delete: Callable[[Transaction, StripeObject], StripeObject]
) -> Handler:
    return lambda tx, object_id, _: delete(tx, tx.get(object_id, kind, param))


def _line_items(tx: Transaction, session_id: str, params: Parameters) -> StripeObject:
    session = tx.get(session_id, "checkout.session", "session")
    return listing.line_items(tx, session["id"], params)


def _charge_refunds(tx: Transaction, charge_id: str, params: Parameters) -> StripeObject:
    tx.get(charge_id, "charge")
    url = f"/v1/charges/{charge_id}/refunds"
    return listing.objects(tx, "refund", params | {"charge": charge_id}, url)


def _retry_event(tx: Transaction, event_id: str, params: Parameters) -> StripeObject:
    """Deliver an event again, for `stripe events resend`; the call is undocumented."""
    event = events.get(tx, event_id)
    deliveries.resend(
        tx, event, params.get("webhook_endpoint"), cli_only=params.get("for_stripecli", False)
    )
    return event


def _customer_payment_methods(
    tx: Transaction, customer_id: str, params: Parameters
) -> StripeObject:
    tx.get(customer_id, "customer", "customer")
    url = f"/v1/customers/{customer_id}/payment_methods"
    return listing.objects(tx, "payment_method", params | {"customer": customer_id}, url)


def _cash_balance_transactions(
    tx: Transaction, customer_id: str, params: Parameters
) -> StripeObject:
    tx.get(customer_id, "customer", "customer")
    url = f"/v1/customers/{customer_id}/cash_balance_transactions"
    return listing.objects(tx, cash_balances.KIND, params | {"customer": customer_id}, url)


def _shipping_rates(tx: Transaction, _: str, params: Parameters) -> StripeObject:
    filters = {"fixed_amount" if name == "currency" else name: v for name, v in params.items()}
    return listing.objects(tx, "shipping_rate", filters, "/v1/shipping_rates")


def _empty_list(url: str) -> StripeObject:
    """Return an empty list of what cannot exist here."""
    return {"object": "list", "data": [], "has_more": False, "url": url}


def _customer_sources(tx: Transaction, customer_id: str, _: Parameters) -> StripeObject:
    """Return an empty list: payment methods of customers are PaymentMethods, never sources."""
    tx.get(customer_id, "customer", "customer")
    return _empty_list(f"/v1/customers/{customer_id}/sources")


def _product_features(tx: Transaction, product_id: str, _: Parameters) -> StripeObject:
    """Return an empty list: entitlements are not imitated."""
    tx.get(product_id, "product")
    return _empty_list(f"/v1/products/{product_id}/features")


def _retriever_even_deleted(kind: str) -> Handler:
    """Return a handler that also retrieves a deleted object, as `deleted: true`."""

    def retrieve(tx: Transaction, object_id: str, _: Parameters) -> StripeObject:
        stripe_object = tx.find(object_id, kind)
        if stripe_object is None:
            raise NotFound.resource(kind, object_id)
        return stripe_object

    return retrieve


def _collection(path: str, kind: str, param: str) -> dict[str, Handler]:
    """Return the list and retrieve calls, which every kind has."""
    return {
        f"GET {path}": _lister(kind, path),
        f"GET {path}/{{id}}": _retriever(kind, param),
    }


OPERATIONS: dict[str, Handler] = {
    "GET /v1/account": lambda tx, _, __: accounts.retrieve(tx),
    "GET /v1/accounts": lambda *_: _empty_list("/v1/accounts"),  # no Connect
    "GET /v1/accounts/{id}": accounts.retrieve_by_id,
    "POST /v1/checkout/sessions": lambda tx, _, params: checkout_sessions.create(tx, params),
    **_collection("/v1/checkout/sessions", "checkout.session", "session"),
    "POST /v1/checkout/sessions/{id}/expire": _updater(
        "checkout.session",
        "session",
        lambda tx, session, _: checkout_sessions.expire(tx, session),
    ),
    "POST /v1/checkout/sessions/{id}": _updater(
        "checkout.session", "session", checkout_sessions.update
    ),
    "GET /v1/checkout/sessions/{id}/line_items": _line_items,
    "GET /v1/customers/search": lambda tx, _, params: search.objects(
        tx, "customer", params, "/v1/customers/search"
    ),
    "POST /v1/customers": lambda tx, _, params: customers.create(tx, params),
    **_collection("/v1/customers", "customer", "id"),
    "GET /v1/customers/{id}": _retriever_even_deleted("customer"),
    "POST /v1/customers/{id}": _updater("customer", "id", customers.update),
    "DELETE /v1/customers/{id}": _deleter("customer", "id", customers.delete),
    "GET /v1/customers/{id}/sources": _customer_sources,
    "GET /v1/customers/{id}/payment_methods": _customer_payment_methods,
    "GET /v1/customers/{id}/cash_balance": lambda tx, customer_id, _: cash_balances.retrieve(
        tx, customer_id
    ),
    "GET /v1/customers/{id}/cash_balance_transactions": _cash_balance_transactions,
    "POST /v1/test_helpers/customers/{id}/fund_cash_balance": cash_balances.fund,
    "POST /v1/products": lambda tx, _, params: products.create(tx, params),
    **_collection("/v1/products", "product", "id"),
    "GET /v1/products/{id}": _retriever_even_deleted("product"),
    "POST /v1/products/{id}": _updater("product", "id", products.update),
    "DELETE /v1/products/{id}": _deleter("product", "id", products.delete),
    "GET /v1/products/{id}/features": _product_features,
    "POST /v1/prices": lambda tx, _, params: prices.create(tx, params),
    **_collection("/v1/prices", "price", "price"),
    "POST /v1/prices/{id}": _updater("price", "price", prices.update),
    "POST /v1/payment_intents": lambda tx, _, params: payment_intents.create(tx, params),
    **_collection("/v1/payment_intents", "payment_intent", "intent"),
    "POST /v1/payment_intents/{id}": _updater("payment_intent", "intent", payment_intents.update),
    "POST /v1/payment_intents/{id}/cancel": _updater(
        "payment_intent", "intent", payment_intents.cancel
    ),
    "POST /v1/payment_intents/{id}/capture": _updater(
        "payment_intent", "intent", payment_intents.capture
    ),
    "POST /v1/payment_intents/{id}/confirm": _updater(
        "payment_intent", "intent", payment_intents.confirm
    ),
    "POST /v1/setup_intents": lambda tx, _, params: setup_intents.create(tx, params),
    **_collection("/v1/setup_intents", "setup_intent", "intent"),
    "POST /v1/setup_intents/{id}": _updater("setup_intent", "intent", setup_intents.update),
    "POST /v1/setup_intents/{id}/cancel": _updater("setup_intent", "intent", setup_intents.cancel),
    "POST /v1/setup_intents/{id}/confirm": _updater(
        "setup_intent", "intent", setup_intents.confirm
    ),
    "GET /v1/setup_attempts": _lister("setup_attempt", "/v1/setup_attempts"),
    "POST /v1/coupons": lambda tx, _, params: coupons.create_coupon(tx, params),
    **_collection("/v1/coupons", "coupon", "coupon"),
    "POST /v1/coupons/{id}": _updater("coupon", "coupon", coupons.update_coupon),
    "DELETE /v1/coupons/{id}": _deleter("coupon", "coupon", coupons.delete_coupon),
    "POST /v1/promotion_codes": lambda tx, _, params: coupons.create_code(tx, params),
    **_collection("/v1/promotion_codes", "promotion_code", "promotion_code"),
    "POST /v1/promotion_codes/{id}": _updater(
        "promotion_code", "promotion_code", coupons.update_code
    ),
    "POST /v1/shipping_rates": lambda tx, _, params: shipping_rates.create(tx, params),
    **_collection("/v1/shipping_rates", "shipping_rate", "shipping_rate_token"),
    "GET /v1/shipping_rates": _shipping_rates,
    "POST /v1/shipping_rates/{id}": _updater(
        "shipping_rate", "shipping_rate_token", shipping_rates.update
    ),
    **_collection("/v1/charges", "charge", "id"),
    "POST /v1/charges/{id}": _updater("charge", "id", charges.update),
    "GET /v1/charges/{id}/refunds": _charge_refunds,
    "POST /v1/refunds": lambda tx, _, params: refunds.create(tx, params),
    **_collection("/v1/refunds", "refund", "refund"),
    "POST /v1/refunds/{id}": _updater("refund", "refund", refunds.update),
    **_collection("/v1/disputes", "dispute", "dispute"),
    "POST /v1/disputes/{id}": _updater("dispute", "dispute", disputes.update),
    "POST /v1/disputes/{id}/close": _updater(
        "dispute", "dispute", lambda tx, dispute, _: disputes.close(tx, dispute, won=False)
    ),
    "GET /v1/events": lambda tx, _, params: listing.of_events(tx, params, "/v1/events"),
    "GET /v1/events/{id}": lambda tx, event_id, _: events.get(tx, event_id),
    "POST /v1/webhook_endpoints": lambda tx, _, params: webhook_endpoints.create(tx, params),
    "POST /v1/events/{id}/retry": _retry_event,
    "GET /v1/payment_pages/{id}": _retriever("checkout.session", "session"),
    "POST /v1/payment_pages/{id}/confirm": _updater(
        "checkout.session", "session", payment_pages.confirm
    ),
    "POST /v1/stripecli/sessions": lambda tx, _, params: sessions.create(tx, params),
    **_collection("/v1/webhook_endpoints", "webhook_endpoint", "webhook_endpoint"),
    "POST /v1/webhook_endpoints/{id}": _updater(
        "webhook_endpoint", "webhook_endpoint", webhook_endpoints.update
    ),
    "DELETE /v1/webhook_endpoints/{id}": _deleter(
        "webhook_endpoint", "webhook_endpoint", webhook_endpoints.delete
    ),
    "GET /v1/balance": lambda tx, _, __: balance.retrieve(tx),
    **_collection("/v1/balance_transactions", "balance_transaction", "id"),
    "POST /v1/payment_methods": lambda tx, _, params: payment_methods.create(tx, params),
    **_collection("/v1/payment_methods", "payment_method", "payment_method"),
    "POST /v1/payment_methods/{id}": _updater(
        "payment_method", "payment_method", payment_methods.update
    ),
    "POST /v1/payment_methods/{id}/attach": payment_methods.attach_by_id,
    "POST /v1/payment_methods/{id}/detach": _updater(
        "payment_method", "payment_method", payment_methods.detach
    ),
}


@dataclass(frozen=True)
class Operation:
    """One call, found by its address."""

    name: str
    act: Handler
    object_id: str


def _by_shape() -> Mapping[tuple[str, int], list[tuple[list[str], str]]]:
    shapes: dict[tuple[str, int], list[tuple[list[str], str]]] = {}
    for name in OPERATIONS:
        method, path = name.split(" ")
        parts = path.split("/")
        shapes.setdefault((method, len(parts)), []).append((parts, name))
    return shapes


_SHAPES = _by_shape()


def find_operation(method: str, path: str) -> Operation:
    """Return the call at an address. Raises NotFound in Stripe's words."""
    parts = path.split("/")
    if f"{method} {path}" in OPERATIONS:
        return Operation(f"{method} {path}", OPERATIONS[f"{method} {path}"], "")
    if not_imitated.is_search(method, parts):
        raise not_imitated.error(method, path)
    for template, name in _SHAPES.get((method, len(parts)), ()):
        pairs = list(zip(template, parts, strict=True))
        if all(expected in (part, "{id}") for expected, part in pairs):
            object_id = next((part for expected, part in pairs if expected == "{id}"), "")
            if object_id or "{id}" not in template:
                return Operation(name, OPERATIONS[name], object_id)
    raise not_imitated.error(method, path)
