"""The limits that Stripe documents on lengths, counts and numbers, by parameter path.

A path is written without indexes: `line_items[][quantity]`. Sources: Stripe's public OpenAPI
description and docs.stripe.com/api/metadata.
"""

import re
from functools import lru_cache

METADATA_KEYS, METADATA_NAME, METADATA_VALUE = 50, 40, 500

CHARACTERS = {
    "client_reference_id": 200,
    "integration_identifier": 200,
    "customer_email": 800,
    "custom_text[after_submit][message]": 1200,
    "custom_text[shipping_address][message]": 1200,
    "custom_text[submit][message]": 1200,
    "custom_text[terms_of_service_acceptance][message]": 1200,
    "line_items[][price_data][product_data][description]": 40000,
    "line_items[][price_data][product_data][unit_label]": 12,
    "custom_fields[][dropdown][options][][label]": 100,
    "custom_fields[][dropdown][options][][value]": 100,
    "custom_fields[][key]": 200,
    "custom_fields[][label][custom]": 50,
    "invoice_creation[invoice_data][custom_fields][][name]": 30,
    "invoice_creation[invoice_data][custom_fields][][value]": 30,
    "invoice_creation[invoice_data][description]": 1500,
    "payment_intent_data[description]": 1000,
    "payment_intent_data[statement_descriptor]": 22,
    "payment_intent_data[statement_descriptor_suffix]": 22,
    "payment_method_options[card][statement_descriptor_suffix_kana]": 22,
    "payment_method_options[card][statement_descriptor_suffix_kanji]": 17,
    "description": 40000,
    "unit_label": 12,
    "statement_descriptor": 22,
    "lookup_key": 200,
}
MOST_CHARACTERS = 5000

ITEMS = {
    "line_items": 100,
    "line_items[][price_data][product_data][images]": 8,
    "images": 8,
    "custom_fields": 3,
    "custom_fields[][dropdown][options]": 200,
    "types": 20,
    "marketing_features": 15,
    "optional_items": 10,
    "discounts": 1,
    "shipping_options": 5,
}

NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "limit": (1, 100),
    "line_items[][quantity]": (1, 999_999_999_999),
    "line_items[][adjustable_quantity][maximum]": (1, 999_999),
    "line_items[][adjustable_quantity][minimum]": (0, 999_999),
    "amount": (1, None),
    "amount_off": (1, None),
    "duration_in_months": (1, None),
    "max_redemptions": (1, None),
    "custom_fields[][numeric][maximum_length]": (1, 255),
    "custom_fields[][numeric][minimum_length]": (0, 255),
    "custom_fields[][text][maximum_length]": (1, 255),
    "custom_fields[][text][minimum_length]": (0, 255),
    "optional_items[][quantity]": (1, 999_999),
    "optional_items[][adjustable_quantity][maximum]": (1, 999_999),
    "optional_items[][adjustable_quantity][minimum]": (0, 999_999),
    "recurring[interval_count]": (1, 1095),
    "recurring[trial_period_days]": (0, 730),
    "transform_quantity[divide_by]": (1, 999_999_999),
}

_INDEX = re.compile(r"\[\d+\]")


@lru_cache(maxsize=4096)
def _plain(path: str) -> str:
    return _INDEX.sub("[]", path)


def characters(path: str) -> int:
    """Return the maximum length of a string."""
    return CHARACTERS.get(_plain(path), MOST_CHARACTERS)


def items(path: str) -> int | None:
    """Return the maximum number of elements of a list; None if there is no limit."""
    return ITEMS.get(_plain(path))


def numbers(path: str) -> tuple[int | None, int | None]:
    """Return the minimum and maximum of an integer; None for no limit."""
    return NUMBERS.get(_plain(path), (None, None))
