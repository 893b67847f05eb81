"""The Checkout Session object: the defaults of its fields, and what of the request it shows."""

from typing import Any

from stripe_emulator.base.object_defaults import ListDefault, NullableDefault, with_defaults
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources.metadata import merge_metadata

Shown = dict[str, Any]


_LENGTHS = {"default_value": None, "maximum_length": None, "minimum_length": None, "value": None}
_ON_OR_OFF = {"enabled": False, "optional": False}

BLANK: dict[str, Any] = {
    "adaptive_pricing": {"enabled": False},
    "after_expiration": NullableDefault(
        recovery=NullableDefault(
            allow_promotion_codes=False, enabled=False, expires_at=None, url=None
        )
    ),
    "allow_promotion_codes": None,
    "allowed_payment_method_types": None,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None,
    "cancel_url": None,
    "client_reference_id": None,
    "consent_collection": NullableDefault(
        payment_method_reuse_agreement=None, promotions=None, terms_of_service=None
    ),
    "custom_fields": ListDefault(
        dropdown=NullableDefault(default_value=None, options=None, value=None),
        key=None,
        label=None,
        numeric=NullableDefault(_LENGTHS),
        optional=False,
        text=NullableDefault(_LENGTHS),
        type=None,
    ),
    "custom_text": dict.fromkeys(
        ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    ),
    "customer_creation": "if_required",
    "customer_email": None,
    "excluded_payment_method_types": None,
    "integration_identifier": None,
    "invoice_creation": {
        "enabled": False,
        "invoice_data": {
            **dict.fromkeys(("account_tax_ids", "custom_fields", "description", "footer")),
            "issuer": None,
            "metadata": {},
            "rendering_options": NullableDefault(amount_tax_display=None, template=None),
        },
    },
    "locale": None,
    "managed_payments": {"enabled": False},
    "name_collection": NullableDefault(
        business=NullableDefault(_ON_OR_OFF), individual=NullableDefault(_ON_OR_OFF)
    ),
    "optional_items": ListDefault(
        adjustable_quantity=NullableDefault(enabled=False, maximum=99, minimum=0),
        price=None,
        quantity=None,
    ),
    "origin_context": None,
    "phone_number_collection": {"enabled": False},
    "saved_payment_method_options": NullableDefault(
        allow_redisplay_filters=None, payment_method_remove=None, payment_method_save=None
    ),
    "shipping_address_collection": NullableDefault(allowed_countries=None),
    "submit_type": None,
    "success_url": None,
    "ui_mode": "hosted_page",
    "wallet_options": NullableDefault(link=None),
}
"""Parameters that the session shows as they were sent, with their defaults."""

NO_BUSINESS_NAME = "Emulator"
"""The business name where none is configured."""

ONLY_IF_GIVEN: dict[str, Any] = {
    "branding_settings": {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#0074d4",
        "display_name": NO_BUSINESS_NAME,
        "font_family": "default",
        "icon": None,
        "logo": None,
    },
    "tax_id_collection": {"enabled": False, "required": "never"},
}

OPTIONS: dict[str, Shown] = {"card": {"request_three_d_secure": "automatic"}}
"""`payment_method_options` of each offered method; those of other methods are not shown."""

_NOTHING = dict.fromkeys(
    (
        *("client_secret", "collected_information", "consent", "currency_conversion", "customer"),
        *("customer_account", "invoice", "payment_intent", "payment_link", "permissions"),
        *("payment_method_configuration_details", "recovered_from", "setup_intent"),
        *("shipping_cost", "subscription"),
    )
)


def new(session_id: str, now: int, params: Parameters, methods: list[str]) -> Shown:
    """Return an open Session without amounts, expiry and URL."""
    session = with_defaults(BLANK, {name: params[name] for name in BLANK if name in params})
    for field in session["custom_fields"]:
        kind = field["type"]
        field[kind] = field[kind] or with_defaults({**BLANK["custom_fields"][kind]}, {})
    return {
        "id": session_id,
        "object": "checkout.session",
        **_NOTHING,
        **session,
        **{
            name: with_defaults(blank, params[name])
            for name, blank in ONLY_IF_GIVEN.items()
            if name in params
        },
        "created": now,
        "customer_details": prefilled(params.get("customer_email")),
        "discounts": [],
        "livemode": False,
        "metadata": merge_metadata(params.get("metadata")),
        "mode": "payment",
        "payment_method_collection": "if_required",
        "payment_method_options": _options(params.get("payment_method_options", {}), methods),
        "payment_method_types": methods,
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }


def _options(params: Parameters, methods: list[str]) -> Shown:
    options = {
        method: with_defaults(OPTIONS.get(method, {}), params.get(method)) for method in methods
    }
    return {method: option for method, option in options.items() if option}


def prefilled(email: str | None) -> Shown | None:
    """Return what is known about the customer before the payment."""
    return customer_details(email, None, {}) if email else None


def customer_details(email: str | None, name: str | None, answers: Shown) -> Shown:
    """Return what the buyer entered about themselves."""
    return {
        "address": answers.get("billing"),
        "business_name": answers.get("business_name"),
        "email": email or None,
        "individual_name": answers.get("individual_name"),
        "name": name or None,
        "phone": answers.get("phone"),
        "tax_exempt": "none",
        "tax_ids": None,
    }
