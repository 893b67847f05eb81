"""Rules about several parameters of a Checkout Session."""

import re
from urllib.parse import urlsplit

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.parameters.parameters import Parameters, missing_param
from stripe_emulator.resources.customers import check_email

PLACEHOLDER = "{CHECKOUT_SESSION_ID}"
ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+", re.ASCII)


def check(params: Parameters) -> None:
    """Raise InvalidRequest for parameters that contradict each other."""
    for name in ("mode", "line_items", "success_url"):
        if not params.get(name):
            raise missing_param(name)
    for name in ("success_url", "cancel_url"):
        if name in params:
            _check_url(params[name], name)
    check_email(params.get("customer_email", ""), "customer_email")
    for name in ("customer_creation", "customer_email"):
        if name in params and "customer" in params:
            raise InvalidRequest(
                f"You may only specify one of these parameters: customer, {name}.",
                param=name,
            )
    if params.get("allow_promotion_codes") and params.get("discounts"):
        raise InvalidRequest(
            "You may only specify one of these parameters: allow_promotion_codes, discounts.",
            param="discounts",
        )
    for discount in params.get("discounts", []):
        if ("coupon" in discount) == ("promotion_code" in discount):
            raise InvalidRequest(
                "You must specify one of these parameters: coupon, promotion_code.",
                param="discounts[0]",
            )
    _check_custom_fields(params.get("custom_fields", []))
    for name in ("icon", "logo"):
        picture = params.get("branding_settings", {}).get(name, {})
        if picture and picture["type"] not in picture:
            raise missing_param(f"branding_settings[{name}][{picture['type']}]")
    countries = params.get("shipping_address_collection", {"allowed_countries": ["US"]})
    if not countries["allowed_countries"]:
        raise missing_param("shipping_address_collection[allowed_countries]")


def _check_custom_fields(fields: list[Parameters]) -> None:
    """Check that keys are alphanumeric and unique, and that a field has only its own type's
    settings."""
    for index, field in enumerate(fields):
        path, kind = f"custom_fields[{index}]", field["type"]
        if not ALPHANUMERIC.fullmatch(field["key"]):
            raise InvalidRequest("Invalid key: must be alphanumeric.", param=f"{path}[key]")
        if field["key"] in [other["key"] for other in fields[:index]]:
            raise InvalidRequest("Keys of custom fields must be unique.", param=f"{path}[key]")
        for other in {"dropdown", "numeric", "text"} - {kind}:
            if other in field:
                raise InvalidRequest(
                    f"`{other}` cannot be given for a custom field of type `{kind}`.",
                    param=f"{path}[{other}]",
                )
        _check_settings(field.get(kind, {}), kind, f"{path}[{kind}]")


def _check_settings(settings: Parameters, kind: str, path: str) -> None:
    if kind == "dropdown":
        options = [option["value"] for option in settings.get("options", [])]
        if not options:
            raise missing_param(f"{path}[options]")
        if not all(map(ALPHANUMERIC.fullmatch, options)) or len(set(options)) < len(options):
            raise InvalidRequest(
                "Values of options must be alphanumeric and unique.", param=f"{path}[options]"
            )
        if settings.get("default_value", options[0]) not in options:
            raise InvalidRequest("Must be one of the options.", param=f"{path}[default_value]")
    elif settings.get("minimum_length", 0) > settings.get("maximum_length", 255):
        raise InvalidRequest("Must not exceed maximum_length.", param=f"{path}[minimum_length]")
    elif kind == "numeric" and not settings.get("default_value", "0").isdigit():
        raise InvalidRequest("Must be digits only.", param=f"{path}[default_value]")


def _check_url(url: str, param: str) -> None:
    # Curly brackets are legal in Stripe's template but not in a URL.
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
