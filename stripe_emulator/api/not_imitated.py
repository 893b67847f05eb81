"""Errors for the calls of Stripe that are not imitated, and for unknown addresses."""

import json
from pathlib import Path

from stripe_emulator.base.errors import NotFound

DECLARED: list[str] = json.loads((Path(__file__).parent / "declared_calls.json").read_text())
"""Every call of the pinned SDK."""

APIS = {
    "account_links": "Connect",
    "account_sessions": "Connect",
    "apple_pay": "Apple Pay domains",
    "application_fees": "Connect",
    "apps": "Stripe Apps",
    "balance_settings": "balance settings",
    "billing": "usage-based billing",
    "billing_portal": "the customer portal",
    "climate": "Climate",
    "confirmation_tokens": "confirmation tokens",
    "country_specs": "Connect",
    "credit_notes": "invoices",
    "customer_sessions": "customer sessions",
    "entitlements": "entitlements",
    "ephemeral_keys": "ephemeral keys",
    "exchange_rates": "exchange rates",
    "file_links": "files",
    "files": "files",
    "financial_connections": "Financial Connections",
    "forwarding": "forwarding",
    "identity": "Identity",
    "invoice_payments": "invoices",
    "invoice_rendering_templates": "invoices",
    "invoiceitems": "invoices",
    "invoices": "invoices",
    "issuing": "Issuing",
    "mandates": "mandates",
    "payment_attempt_records": "payment records",
    "payment_links": "Payment Links",
    "payment_method_configurations": "payment method configurations",
    "payment_method_domains": "payment method domains",
    "payment_records": "payment records",
    "payouts": "payouts",
    "plans": "subscriptions",
    "product_catalog": "product catalog imports",
    "quotes": "quotes",
    "radar": "Radar",
    "reporting": "reports",
    "reviews": "Radar",
    "sigma": "Sigma",
    "sources": "sources",
    "subscription_items": "subscriptions",
    "subscription_schedules": "subscriptions",
    "subscriptions": "subscriptions",
    "tax": "taxes",
    "tax_codes": "taxes",
    "tax_ids": "taxes",
    "tax_rates": "taxes",
    "terminal": "Terminal",
    "test_helpers": "test helpers, such as test clocks",
    "three_d_secure": "sources",
    "tokens": "tokens that are not Stripe's test tokens",
    "topups": "payouts",
    "transfers": "Connect",
    "treasury": "Treasury",
}

CALLS = {"POST /v1/charges": "charges without a PaymentIntent"}


def is_search(method: str, parts: list[str]) -> bool:
    """Return whether an address would search objects, which only Customers support."""
    return method == "GET" and parts[3:] == ["search"]


def error(method: str, path: str) -> NotFound:
    """Return the error for an address without an operation; it names what Stripe has there."""
    parts = path.split("/")
    here = f"({method}: {path})"
    if path.startswith("/v2/"):
        return NotFound(f"This emulator does not imitate API v2 {here}.")
    if is_search(method, parts):
        return NotFound(
            "This emulator does not imitate search of other objects than Customers; list them "
            f"instead {here}."
        )
    name = CALLS.get(f"{method} {path}") or APIS.get(parts[2] if len(parts) > 2 else "")
    if name:
        return NotFound(f"This emulator does not imitate {name} {here}.")
    call = next((call for call in DECLARED if _is_at(call, method, parts)), None)
    if call:
        return NotFound(f"This emulator does not imitate `{call}` of Stripe's API.")
    return NotFound(
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove "
        "the trailing slash. If you are trying to retrieve an object, make sure you passed a "
        "valid (non-empty) identifier in your code."
    )


def _is_at(call: str, method: str, parts: list[str]) -> bool:
    declared_method, path = call.split(" ")
    template = path.split("/")
    return (declared_method, len(template)) == (method, len(parts)) and all(
        name == part or (name == "{id}" and part)
        for name, part in zip(template, parts, strict=True)
    )
