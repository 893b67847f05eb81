"""API versions: a request is read, and its answer and its events are written, in its version."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from stripe_emulator import __main__ as command
from stripe_emulator.api import versions
from stripe_emulator.app import create_app
from stripe_emulator.base.config import API_VERSION, Config
from tests.support.emulator import EmulatorServer, session_params
from tests.support.ports import free_port
from tests.support.webhook_receiver import Receiver

CLOVER, BASIL, ACACIA = "2025-12-15.clover", "2025-03-31.basil", "2025-02-24.acacia"
DAHLIA, GO_76 = "2026-03-25.dahlia", "2023-10-16"
SESSION = {
    "mode": "payment",
    "success_url": "http://127.0.0.1:1/",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "1999",
    "line_items[0][price_data][product_data][name]": "Shirt",
    "line_items[0][quantity]": "1",
}
SHIPPING = {"shipping_address_collection[allowed_countries][0]": "DE"}
HOME = {"line1": "1 Main St", "city": "Berlin", "country": "DE", "postal_code": "10115"}


def ask(running: EmulatorServer, method: str, path: str, version: str | None, **form: str) -> Any:
    """A request in a version: the answer, which says its version."""
    headers = {"Stripe-Version": version} if version else {}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    body = urlencode(form).encode() if form else None
    status, answered, answer = running.raw(method, path, body, **headers)
    assert answered["Stripe-Version"] == (version or running.config.api_version)
    return {"status": status} | json.loads(answer)


def a_session(running: EmulatorServer, version: str | None, **form: str) -> Any:
    return ask(running, "POST", "/v1/checkout/sessions", version, **(SESSION | form))


def shipped(running: EmulatorServer) -> str:
    """A paid session with a shipping address; its id."""
    session: str = a_session(running, None, **SHIPPING)["id"]
    answers = {f"shipping_{name}": value for name, value in HOME.items()}
    running.control(
        "POST",
        f"sessions/{session}/pay",
        number="4242424242424242",
        email="a@example.com",
        answers=answers | {"shipping_name": "Ada"},
    )
    return session


@pytest.fixture(scope="module")
def old_account() -> Iterator[EmulatorServer]:
    """An account whose default version is an old one."""
    made = EmulatorServer(Config(port=free_port(), api_version=GO_76))
    yield made
    made.stop()


@pytest.mark.parametrize("version", [None, API_VERSION, CLOVER, GO_76, "2026-08-26.preview"])
def test_the_answer_says_which_version_it_is_in(
    stripe_: EmulatorServer, version: str | None
) -> None:
    assert ask(stripe_, "GET", "/v1/products", version)["status"] == 200
    assert ask(stripe_, "GET", "/v1/products/nothing", version)["status"] == 404


@pytest.mark.parametrize(
    "version", ["2024-10-28", "2026-08-26.clover", "yesterday", "2099", "2023-10-17"]
)
def test_a_version_that_never_was_is_refused(stripe_: EmulatorServer, version: str) -> None:
    status, headers, body = stripe_.raw("GET", "/v1/products", None, Stripe_Version=version)

    error = json.loads(body)["error"]
    assert (status, headers["Stripe-Version"]) == (400, API_VERSION)
    assert error["message"] == f"Invalid Stripe API version: {version}"


def test_a_refused_key_is_answered_in_the_default_version(stripe_: EmulatorServer) -> None:
    status, headers, _ = stripe_.raw("GET", "/v1/products", None, Authorization="Bearer x")

    assert (status, headers["Stripe-Version"]) == (401, API_VERSION)


def test_a_version_with_a_beta_and_a_later_one_are_taken(stripe_: EmulatorServer) -> None:
    for header, echoed in ((f"{BASIL}; custom_beta=v1", BASIL), ("2031-01-01.iris",) * 2):
        _, headers, _ = stripe_.raw("GET", "/v1/products", None, Stripe_Version=header)
        assert headers["Stripe-Version"] == echoed


@pytest.mark.parametrize("version", [GO_76, ACACIA, BASIL, CLOVER, DAHLIA, "2026-08-26.dahlia"])
def test_payment_method_types_are_taken_before_endive(
    stripe_: EmulatorServer, version: str
) -> None:
    session = a_session(stripe_, version, **{"payment_method_types[0]": "card"})

    assert session["status"] == "open", session
    assert session["payment_method_types"] == ["card"]
    assert "allowed_payment_method_types" not in session
    wrong = a_session(stripe_, version, **{"payment_method_types[0]": "seashells"})["error"]
    assert wrong["param"] == "payment_method_types[0]"
    assert wrong["message"].startswith("Invalid payment_method_types[0]: must be one of")
    none = a_session(stripe_, version, **{"payment_method_types[0]": "klarna"})["error"]
    assert none["param"] == "payment_method_types"


@pytest.mark.parametrize("version", [None, "2026-09-30.endive", API_VERSION])
def test_payment_method_types_are_unknown_since_endive(
    stripe_: EmulatorServer, version: str | None
) -> None:
    error = a_session(stripe_, version, **{"payment_method_types[0]": "card"})["error"]

    assert (error["code"], error["param"]) == ("parameter_unknown", "payment_method_types")


@pytest.mark.parametrize("version", [GO_76, BASIL, CLOVER])
def test_ui_mode_has_its_older_values_before_dahlia(stripe_: EmulatorServer, version: str) -> None:
    session = a_session(stripe_, version, ui_mode="hosted")

    assert (session["status"], session["ui_mode"]) == ("open", "hosted")
    assert a_session(stripe_, version)["ui_mode"] == "hosted"
    newest = ask(stripe_, "GET", f"/v1/checkout/sessions/{session['id']}", None)
    assert newest["ui_mode"] == "hosted_page"
    for mode in ("embedded", "custom"):
        refused = a_session(stripe_, version, ui_mode=mode)["error"]
        assert f"does not imitate ui_mode={mode}," in refused["message"]
    for mode in ("hosted_page", "nonsense", ""):
        refused = a_session(stripe_, version, ui_mode=mode)["error"]
        assert refused["message"] == "Invalid ui_mode: must be one of custom, embedded, or hosted"


@pytest.mark.parametrize("version", [DAHLIA, API_VERSION])
def test_ui_mode_has_its_newer_values_since_dahlia(stripe_: EmulatorServer, version: str) -> None:
    assert a_session(stripe_, version, ui_mode="hosted_page")["ui_mode"] == "hosted_page"
    assert a_session(stripe_, version, ui_mode="hosted")["error"]["param"] == "ui_mode"


def test_shipping_details_stand_on_the_session_before_basil(stripe_: EmulatorServer) -> None:
    path = f"/v1/checkout/sessions/{shipped(stripe_)}"

    old, new = ask(stripe_, "GET", path, ACACIA), ask(stripe_, "GET", path, BASIL)
    oldest = ask(stripe_, "GET", path, "2020-08-27")
    empty = a_session(stripe_, ACACIA)

    assert old["shipping_details"]["name"] == "Ada"
    assert old["shipping_details"]["address"] == HOME | {"line2": None, "state": None}
    assert "shipping_details" not in new
    assert new["collected_information"]["shipping_details"]["name"] == "Ada"
    assert oldest["shipping"]["name"] == "Ada"
    assert "shipping_details" not in oldest
    assert empty["shipping_details"] is None


def test_lists_and_expanded_objects_are_in_the_version_too(stripe_: EmulatorServer) -> None:
    stripe_.a_payment()
    path = "/v1/checkout/sessions?expand[]=data.payment_intent.latest_charge"

    (old,) = ask(stripe_, "GET", path, ACACIA)["data"]
    (new,) = ask(stripe_, "GET", path, BASIL)["data"]

    intent = old["payment_intent"]
    assert (intent["invoice"], intent["latest_charge"]["invoice"]) == (None, None)
    assert "invoice" not in new["payment_intent"]
    assert "invoice" not in new["payment_intent"]["latest_charge"]


def test_features_of_products_were_renamed(stripe_: EmulatorServer) -> None:
    form = {"name": "Jeans", "features[0][name]": "Blue"}

    old = ask(stripe_, "POST", "/v1/products", GO_76, **form)
    path = f"/v1/products/{old['id']}"
    changed = ask(stripe_, "POST", path, GO_76, **{"features[0][name]": "Red"})
    new = ask(stripe_, "GET", path, "2024-04-10")
    unknown = ask(stripe_, "POST", "/v1/products", "2024-04-10", **form)["error"]
    gone = ask(stripe_, "DELETE", path, GO_76)

    assert (old["features"], changed["features"]) == ([{"name": "Blue"}], [{"name": "Red"}])
    assert (new["marketing_features"], "features" in new) == ([{"name": "Red"}], False)
    assert unknown["param"] == "features"
    assert gone == {"status": 200, "id": old["id"], "object": "product", "deleted": True}


@pytest.mark.parametrize("version", [GO_76, BASIL, CLOVER])
def test_an_endpoint_gets_events_in_its_own_version(
    stripe_: EmulatorServer, receiver: Receiver, version: str
) -> None:
    endpoint = stripe_.client.v1.webhook_endpoints.create(
        {
            "url": f"{receiver.url}?version",
            "enabled_events": ["checkout.session.completed", "product.updated"],
            "api_version": version,  # type: ignore[typeddict-item]
        }
    )
    session = shipped(stripe_)
    product = stripe_.client.v1.products.create({"name": "Jeans"})
    stripe_.client.v1.products.update(product.id, {"marketing_features": [{"name": "Blue"}]})
    stripe_.emulator.dispatcher.wait_until_idle()

    sent = {
        (event["type"], event["api_version"]): event
        for event in [arrived.event for arrived in receiver.arrived]
        if event["type"] in endpoint.enabled_events
    }

    completed = sent["checkout.session.completed", version]["data"]["object"]
    plain = sent["checkout.session.completed", API_VERSION]["data"]["object"]
    assert (completed["id"], completed["ui_mode"]) == (session, "hosted")
    assert plain["ui_mode"] == "hosted_page"
    assert ("shipping_details" in completed) == (version == GO_76)
    updated = sent["product.updated", version]["data"]
    name = "features" if version == GO_76 else "marketing_features"
    assert updated["object"][name] == [{"name": "Blue"}]
    assert updated["previous_attributes"][name] == []


def test_events_are_listed_in_the_version_they_were_made_in(old_account: EmulatorServer) -> None:
    session = a_session(old_account, API_VERSION)
    old_account.emulator.expire(session["id"])

    (event,) = ask(old_account, "GET", "/v1/events?type=checkout.session.expired", API_VERSION)[
        "data"
    ]
    assert ask(old_account, "GET", f"/v1/events/{event['id']}", API_VERSION)["api_version"] == GO_76

    assert (event["api_version"], event["data"]["object"]["ui_mode"]) == (GO_76, "hosted")
    assert event["data"]["object"]["shipping_details"] is None


def test_requests_without_a_version_are_in_the_accounts(old_account: EmulatorServer) -> None:
    form = {"ui_mode": "hosted", "payment_method_types[0]": "card"}

    old = a_session(old_account, None, **form)
    new = a_session(old_account, API_VERSION, **form)

    assert (old["status"], old["ui_mode"]) == ("open", "hosted")
    assert new["error"]["param"] in form | {"payment_method_types": ""}


def test_a_go_client_accepts_the_event_of_its_endpoint(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    """stripe-go refuses an event whose `api_version` is not the one it was made for."""
    stripe_.client.v1.webhook_endpoints.create(
        {
            "url": f"{receiver.url}?go",
            "enabled_events": ["checkout.session.expired"],
            "api_version": "2023-10-16",
        }
    )
    stripe_.client.v1.checkout.sessions.expire(stripe_.a_session().id)
    stripe_.emulator.dispatcher.wait_until_idle()

    got = [arrived.event["api_version"] for arrived in receiver.arrived]

    assert sorted(got) == [GO_76, API_VERSION]


def test_every_change_is_of_a_known_version_and_they_are_in_order() -> None:
    dates = [change.since for change in versions.CHANGES]

    assert dates == sorted(dates, reverse=True)
    assert set(dates) <= {version[:10] for version in versions.KNOWN}
    assert stripe.api_version in versions.KNOWN


def test_an_unknown_default_version_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="1999-01-01 is no version of Stripe's API"):
        create_app(Config(api_version="1999-01-01"))

    port = str(free_port())
    code = command.main(["--port", port, "--data", ":memory:", "--api-version", "1999-01-01"])

    assert code == 2
    assert "cannot start: 1999-01-01 is no version of Stripe's API." in capsys.readouterr().out


def test_a_session_of_the_newest_version_is_as_before(stripe_: EmulatorServer) -> None:
    params = session_params()

    assert stripe_.client.v1.checkout.sessions.create(params).ui_mode == "hosted_page"
