"""What the parameters of a Checkout Session must be together, and which are refused here."""

from urllib.parse import urlsplit

from store.emulator.catalog import not_imitated, refuse
from store.emulator.errors import InvalidRequest
from store.emulator.parameters import Parameters, missing

PLACEHOLDER = "{CHECKOUT_SESSION_ID}"

NOT_IMITATED = (
    *("consent_collection", "custom_fields", "customer", "customer_account", "customer_update"),
    *("discounts", "excluded_payment_method_types", "managed_payments", "name_collection"),
    *("optional_items", "payment_method_configuration", "payment_method_data", "permissions"),
    *("payment_method_options", "redirect_on_completion", "return_url", "wallet_options"),
    *("saved_payment_method_options", "setup_intent_data", "shipping_address_collection"),
    *("shipping_options", "subscription_data", "payment_method_collection"),
)
SWITCHES_NOT_IMITATED = (
    *("automatic_tax", "invoice_creation", "phone_number_collection", "tax_id_collection"),
)
INTENT_NOT_IMITATED = (
    *("application_fee_amount", "on_behalf_of", "transfer_data", "transfer_group"),
    *("setup_future_usage", "shipping"),
)


def check(given: Parameters) -> None:
    """What the parameters must be together. Raises InvalidRequest."""
    if "mode" not in given:
        raise missing("mode")
    if given["mode"] != "payment":
        raise not_imitated(f"mode={given['mode']}, only mode=payment", "mode")
    if given.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_imitated(f"ui_mode={given['ui_mode']}, only hosted_page", "ui_mode")
    refuse(given, *NOT_IMITATED)
    for name in SWITCHES_NOT_IMITATED:
        refuse(given.get(name, {}), "enabled", path=name)
    refuse(given.get("after_expiration", {}), "recovery", path="after_expiration")
    if given.get("customer_creation") == "always":
        raise not_imitated("customer_creation=always", "customer_creation")
    if not given.get("line_items"):
        raise missing("line_items")
    if "success_url" not in given:
        raise missing("success_url")
    for name in ("success_url", "cancel_url"):
        if name in given:
            _check_url(given[name], name)
    if "customer_email" in given and "@" not in given["customer_email"]:
        raise InvalidRequest(
            f"Invalid email address: {given['customer_email'][:200]}",
            code="email_invalid",
            param="customer_email",
        )
    _check_intent(given.get("payment_intent_data", {}))


def _check_intent(given: Parameters) -> None:
    refuse(given, *INTENT_NOT_IMITATED, path="payment_intent_data")
    if given.get("capture_method") == "manual":
        raise not_imitated("capture_method=manual", "payment_intent_data[capture_method]")


def _check_url(url: str, param: str) -> None:
    # Curly brackets are legal in Stripe's template, though not in a URL.
    parts = urlsplit(url.replace(PLACEHOLDER, "x")) if _splits(url) else None
    fits = parts and parts.scheme in ("http", "https") and parts.hostname
    if not fits or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise InvalidRequest("Not a valid URL", code="url_invalid", param=param)


def _splits(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True
