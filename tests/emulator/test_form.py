"""Bodies as curl, Rack clients and older SDKs write them."""

import json
from urllib.parse import quote

import pytest

from stripe_emulator.parameters import form_encoding
from tests.support.emulator import SUCCESS, EmulatorServer

PRICE = "line_items[][price_data]"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a[][x]=1&a[][y]=2", {"a": {"0": {"x": "1", "y": "2"}}}),
        (
            "a[][x]=1&a[][y]=2&a[][x]=3&a[][y]=4",
            {"a": {"0": {"x": "1", "y": "2"}, "1": {"x": "3", "y": "4"}}},
        ),
        (
            "a[][d][x]=1&a[][d][y]=2&a[][n]=3&a[][d][x]=4",
            {"a": {"0": {"d": {"x": "1", "y": "2"}, "n": "3"}, "1": {"d": {"x": "4"}}}},
        ),
        (
            "a[][x]=1&a[][list][]=2&a[][list][]=3&a[][x]=4",
            {"a": {"0": {"x": "1", "list": {"0": "2", "1": "3"}}, "1": {"x": "4"}}},
        ),
        (
            "a[][list][][x]=1&a[][list][][y]=2&a[][list][][x]=3",
            {"a": {"0": {"list": {"0": {"x": "1", "y": "2"}, "1": {"x": "3"}}}}},
        ),
        ("a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        ("a[1]=1&a[]=2", {"a": {"1": "1", "2": "2"}}),
        ("a[0][x]=1&a[][y]=2", {"a": {"0": {"x": "1", "y": "2"}}}),
        ("a[]=1&a[][x]=2", {"a": {"0": "1", "1": {"x": "2"}}}),
    ],
)
def test_empty_brackets_continue_the_last_element_until_a_key_repeats(
    text: str, tree: form_encoding.Raw
) -> None:
    assert form_encoding.decode(quote(text, safe="=&").encode()) == tree


def test_a_session_with_empty_brackets_has_one_line_for_each_repeated_key(
    stripe_: EmulatorServer,
) -> None:
    lines = [
        f"{PRICE}[currency]=usd&{PRICE}[product_data][name]={name}&{PRICE}[unit_amount]=1000"
        f"&{PRICE}[product_data][images][]=http://127.0.0.1:9/a"
        f"&{PRICE}[product_data][images][]=http://127.0.0.1:9/b&line_items[][quantity]={quantity}"
        for name, quantity in (("Shirt", 2), ("Jeans", 1))
    ]
    sent = quote(f"mode=payment&success_url={SUCCESS}&", safe="=&") + "&".join(lines)

    status, _, body = stripe_.raw(
        "POST",
        "/v1/checkout/sessions",
        f"{sent}&expand[]=line_items.data.price.product".encode(),
        Content_Type="application/x-www-form-urlencoded",
    )

    session = json.loads(body)
    assert status == 200, body
    items = session["line_items"]["data"]
    assert [(item["description"], item["quantity"]) for item in items] == [
        ("Shirt", 2),
        ("Jeans", 1),
    ]
    assert [len(item["price"]["product"]["images"]) for item in items] == [2, 2]


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_booleans_are_taken_in_any_case(stripe_: EmulatorServer, value: str) -> None:
    status, _, body = stripe_.raw(
        "POST",
        "/v1/products",
        f"name=Shirt&active={value}&shippable={value}".encode(),
        Content_Type="application/x-www-form-urlencoded",
    )
    listed = stripe_.raw("GET", f"/v1/products?active={value}")[2]

    product = json.loads(body)
    assert status == 200, body
    assert product["active"] is product["shippable"] is (value.lower() == "true")
    assert [found["id"] for found in json.loads(listed)["data"]] == [product["id"]]


@pytest.mark.parametrize("value", ["yes", "1", "tru", "None"])
def test_only_true_and_false_are_booleans(stripe_: EmulatorServer, value: str) -> None:
    status, _, body = stripe_.raw(
        "POST",
        "/v1/products",
        f"name=Shirt&active={value}".encode(),
        Content_Type="application/x-www-form-urlencoded",
    )

    assert status == 400
    assert json.loads(body)["error"]["message"] == f"Invalid boolean: {value}"
