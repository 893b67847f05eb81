"""Search of Customers, and the plain refusal of every API that is not imitated."""

import json
import re

import pytest
import stripe

from stripe_emulator.api import not_imitated, routes
from tests.emulator.sdk_declarations import SDK
from tests.support.emulator import EmulatorServer


def found(running: EmulatorServer, query: str) -> list[str]:
    page = running.client.v1.customers.search({"query": query})
    return [str(one.name) for one in page.data]


def test_customers_are_found_by_email_name_and_metadata(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1.customers
    client.create({"email": "ada@example.com", "name": "Ada", "metadata": {"plan": "gold"}})
    client.create({"email": "bob@example.com", "name": "Bob", "metadata": {"plan": "gold"}})
    client.create({"email": "o'hara@example.com", "name": "Cy"})
    client.delete(client.create({"email": "ada@example.com", "name": "Gone"}).id)

    assert found(stripe_, "email:'ADA@example.com'") == ["Ada"]
    assert found(stripe_, 'email:"o\'hara@example.com"') == ["Cy"]
    assert found(stripe_, r"email:'o\'hara@example.com'") == ["Cy"]
    assert found(stripe_, "email~'example' AND metadata['plan']:'gold'") == ["Bob", "Ada"]
    assert found(stripe_, "metadata['plan']:'silver'") == []
    first = client.search({"query": "name~'b' email~'@'", "limit": 1})
    assert ([one.name for one in first.data], first.has_more) == (["Bob"], False)
    everybody = client.search({"query": "email~'example'", "limit": 2})
    assert [one.name for one in everybody.auto_paging_iter()] == ["Cy", "Bob", "Ada"]
    status, _, body = stripe_.raw("GET", "/v1/customers/search?query=email:'ada@example.com'")
    answer = json.loads(body)
    assert (status, answer["object"], answer["url"]) == (
        200,
        "search_result",
        "/v1/customers/search",
    )


@pytest.mark.parametrize(
    "query",
    [
        *("created>1", "email:'a' OR name:'b'", "-email:'a'", "email", "phone:1", "email:'a' AND"),
        *("shoe_size:'41'", "metadata['a\"b']:'1'", "email:'a"),
    ],
)
def test_any_other_query_is_refused_plainly(stripe_: EmulatorServer, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"This emulator (searches|does)") as no:
        stripe_.client.v1.customers.search({"query": query})

    assert (no.value.http_status, no.value.param) == (400, "query")


def test_every_api_of_the_sdk_is_imitated_or_refused_by_its_name(stripe_: EmulatorServer) -> None:
    services = "".join(file.read_text() for file in SDK.rglob("*_service.py"))
    known = set(re.findall(r'"/v1/([a-z_0-9]+)', services))
    answered = {path.split("/")[2] for path in routes.OPERATIONS}

    partly = {"accounts", "test_helpers"}  # a few of their calls are imitated
    assert known - answered - partly == set(not_imitated.APIS) - partly
    for name, what in not_imitated.APIS.items():
        status, _, body = stripe_.raw("POST", f"/v1/{name}/x/y/z")
        error = json.loads(body)["error"]
        assert (status, error["type"]) == (404, "invalid_request_error")
        assert error["message"].startswith(f"This emulator does not imitate {what} (POST: /v1/")


def test_direct_charges_are_refused_as_unsupported(stripe_: EmulatorServer) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="charges without a PaymentIntent"):
        stripe_.client.v1.charges.create({"amount": 100, "currency": "usd", "source": "tok_visa"})
