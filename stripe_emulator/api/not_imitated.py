"""The APIs of Stripe that are not imitated, by the first part of their address."""

NOT_IMITATED = {
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

NOT_IMITATED_CALLS = {"POST /v1/charges": "charges without a PaymentIntent"}


def api_name(method: str, parts: list[str]) -> str | None:
    """Return the name of the API at an address that Stripe has and this emulator does not
    imitate."""
    call = f"{method} {'/'.join(parts)}"
    return NOT_IMITATED_CALLS.get(call) or NOT_IMITATED.get(parts[2] if len(parts) > 2 else "")
