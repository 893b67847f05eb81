"""What can be expanded: ids of objects, fields that are shown on request, and nothing else."""

import json
from typing import Any

import pytest

from stripe_emulator.api import expand
from tests.emulator import json_checker
from tests.support.emulator import EmulatorServer

ADDRESSES = {
    "checkout.session": "checkout/sessions",
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "customer": "customers",
    "payment_method": "payment_methods",
    "setup_intent": "setup_intents",
    "coupon": "coupons",
    "promotion_code": "promotion_codes",
    "shipping_rate": "shipping_rates",
    "price": "prices",
    "product": "products",
}
DISPUTED = "4000000000000259"


@pytest.fixture
def account(stripe_: EmulatorServer) -> EmulatorServer:
    """An account with an object of each kind."""
    client = stripe_.client.v1
    intent = stripe_.a_payment()
    stripe_.a_payment(DISPUTED)
    stripe_.emulator.move_clock(5)
    client.refunds.create({"payment_intent": intent.id, "amount": 1})
    client.customers.create({"payment_method": "pm_card_visa"})
    coupon = client.coupons.create({"percent_off": 10}).id
    client.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}})
    client.shipping_rates.create(
        {"display_name": "Post", "fixed_amount": {"amount": 500, "currency": "usd"}}
    )
    client.setup_intents.create(
        {"payment_method": "pm_card_visa", "confirm": True, "return_url": "http://x/y"}
    )
    product = client.products.create({"name": "Jeans"})
    client.prices.create({"product": product.id, "currency": "usd", "unit_amount": 4999})
    return stripe_


def get(running: EmulatorServer, path: str) -> tuple[int, Any]:
    status, _, body = running.raw("GET", path)
    return status, json.loads(body)


def below(fields: Any) -> list[str]:
    return sorted(field for field in fields if field.count(".") < expand.MOST_LEVELS)


@pytest.mark.parametrize("kind", ADDRESSES)
def test_every_documented_expansion_is_taken_on_objects_and_on_lists(
    account: EmulatorServer, kind: str
) -> None:
    fields = below({field for table in expand.TABLES for field in table.get(kind, ())})
    address = f"/v1/{ADDRESSES[kind]}"
    newest = get(account, f"{address}?limit=1")[1]["data"][0]["id"]

    for field in fields:
        status, thing = get(account, f"{address}/{newest}?expand[]={field}")
        listed_status, listed = get(account, f"{address}?expand[]=data.{field}")

        assert (status, listed_status) == (200, 200), (field, thing, listed)
        assert json_checker.faults(thing) == json_checker.faults(listed) == []
        assert thing == listed["data"][0]


def test_what_is_shown_on_request_is_empty_where_there_is_nothing(account: EmulatorServer) -> None:
    session = get(
        account,
        "/v1/checkout/sessions?limit=1&expand[]=data.total_details.breakdown"
        "&expand[]=data.shipping_cost.shipping_rate&expand[]=data.shipping_cost.taxes"
        "&expand[]=data.discounts.coupon&expand[]=data.discounts.promotion_code"
        "&expand[]=data.customer_account"
        "&expand[]=data.line_items.data.discounts&expand[]=data.line_items.data.taxes"
        "&expand[]=data.line_items.data.price.tiers"
        "&expand[]=data.payment_intent.transfer_data.destination",
    )[1]["data"][0]
    (item,) = session["line_items"]["data"]

    assert session["total_details"]["breakdown"] == {"discounts": [], "taxes": []}
    assert (session["shipping_cost"], session["customer_account"]) == (None, None)
    assert session["discounts"] == item["discounts"] == item["taxes"] == []
    assert item["price"]["tiers"] is None
    assert session["payment_intent"]["object"] == "payment_intent"
    assert json_checker.faults(session) == []


def test_the_currency_options_of_a_price_are_its_own_currency(account: EmulatorServer) -> None:
    price = get(account, "/v1/prices?limit=1&expand[]=data.currency_options")[1]["data"][0]

    assert price["currency_options"] == {
        "usd": {
            "custom_unit_amount": None,
            "tax_behavior": "unspecified",
            "unit_amount": 4999,
            "unit_amount_decimal": "4999",
        }
    }


def test_fields_shown_on_request_are_absent_otherwise(account: EmulatorServer) -> None:
    session = get(account, "/v1/checkout/sessions?limit=1")[1]["data"][0]
    price = get(account, "/v1/prices?limit=1")[1]["data"][0]

    assert "breakdown" not in session["total_details"]
    assert {"tiers", "currency_options"}.isdisjoint(price)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("events", "data.data.object"),
        ("events", "data.data.object.payment_intent"),
        ("events", "data.data.previous_attributes"),
        ("events", "data.data.nonsense"),
        ("events", "data.request"),
        ("events/{event}", "data.object"),
        ("events/{event}", "data.object.id"),
        ("events/{event}", "data.previous_attributes.status"),
        ("checkout/sessions", "data.payment_intent.amount"),
        ("checkout/sessions", "data.total_details.amount_tax"),
        ("checkout/sessions", "data.total_details.breakdown.nonsense"),
        ("checkout/sessions", "data.metadata.order"),
        ("checkout/sessions", "data.line_items.data.id"),
        ("checkout/sessions", "data.line_items.url.x"),
        ("charges", "data.outcome.type"),
        ("charges", "data.id.x"),
        ("balance", "available"),
        ("account", "settings"),
    ],
)
def test_anything_else_is_a_400_that_names_the_whole_path(
    account: EmulatorServer, address: str, path: str
) -> None:
    event = get(account, "/v1/events?limit=1")[1]["data"][0]["id"]

    status, answer = get(account, f"/v1/{address.format(event=event)}?expand[]={path}")

    assert status == 400, answer
    assert answer["error"]["message"] == f"This property cannot be expanded ({path})."
    assert (answer["error"]["type"], answer["error"]["param"]) == (
        "invalid_request_error",
        "expand",
    )
