"""Whatever the description of the API allows, or does not, the emulator has a sane answer."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from stripe_emulator.api import openapi, routes
from stripe_emulator.api.pipeline import FORM
from stripe_emulator.api.request_faults import ACCOUNT_ID
from stripe_emulator.parameters import undocumented
from tests.emulator import json_checker
from tests.support.emulator import KEY, EmulatorServer

CALLS = sorted(routes.OPERATIONS)
EXAMPLES = {"POST": 8, "GET": 3, "DELETE": 2}
BRIEF = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def brackets(_: Any, value: Any) -> bytes:
    """Nested values as every Stripe SDK writes them."""
    return urlencode(list(_flat(value, ""))).encode()


schemathesis.serializer(FORM)(brackets)


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{index}]" if name else str(index))
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value).encode("utf-8", "replace").decode()


@cache
def api() -> Any:
    return schemathesis.openapi.from_dict(described())


def described() -> Any:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stripe", "version": "1"},
        "paths": openapi.paths(),
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def test_its_openapi_describes_every_call_it_answers(stripe_: EmulatorServer) -> None:
    status, _, body = stripe_.raw("GET", "/openapi.json")
    schema = json.loads(body)
    found = {
        f"{method.upper()} {path}"
        for path, methods in schema["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }

    assert status == 200
    assert found == set(routes.OPERATIONS)
    assert "/emulator/troubles" in schema["paths"]


@pytest.fixture(scope="module")
def filled(
    _running: EmulatorServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A snapshot of an account with one object of each kind, and their ids."""
    _running.emulator.reset()
    known = known_ids(_running)
    _running.emulator.dispatcher.wait_until_idle()
    snapshot = tmp_path_factory.mktemp("filled") / "emulator.db"
    _running.emulator.snapshot(snapshot)
    return snapshot, known


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_causes_a_500_or_an_undeclared_answer(
    filled: tuple[Path, dict[str, str]], stripe_: EmulatorServer, call: str, mode: GenerationMode
) -> None:
    method, path = call.split(" ")
    snapshot, known = filled
    stripe_.emulator.restore(snapshot)

    def ask(case: Any) -> None:
        if case.path_parameters and mode is GenerationMode.POSITIVE:
            case.path_parameters["id"] = known[path.replace("/test_helpers", "").split("/")[2]]
        response = case.call(
            base_url=stripe_.config.address, headers={"Authorization": f"Bearer {KEY}"}
        )
        answer = json.loads(response.content)
        assert response.status_code in (200, 400, 401, 402, 404, 405), (
            case.body,
            case.query,
            answer,
        )
        if response.status_code == 200:
            assert call in undocumented.CALLS or json_checker.faults(answer) == []
        else:
            declined = response.status_code == 402
            assert answer["error"]["type"] == (
                "card_error" if declined else "invalid_request_error"
            )
            assert answer["error"]["message"]

    cases = api()[path][method].as_strategy(generation_mode=mode)
    settings(BRIEF, max_examples=EXAMPLES[method])(given(case=cases)(ask))()


def known_ids(running: EmulatorServer) -> dict[str, str]:
    """Create an object of each kind, so that valid requests meet something; the id of one each."""
    intent = running.a_payment("4000000000000259")
    running.emulator.move_clock(5)
    client = running.client.v1
    other = running.a_payment()
    refund = client.refunds.create({"payment_intent": other.id, "amount": 1})
    charge = running.charge_of(intent)
    direct = client.payment_intents.create(
        {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa"}
    )
    coupon = client.coupons.create({"percent_off": 10}).id
    code = client.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}})
    rate = client.shipping_rates.create(
        {"display_name": "Post", "fixed_amount": {"amount": 500, "currency": "usd"}}
    )
    saved = client.customers.create({"payment_method": "pm_card_visa"}).id
    return {
        "accounts": ACCOUNT_ID,
        "checkout": running.a_session().id,
        "coupons": coupon,
        "promotion_codes": code.id,
        "shipping_rates": rate.id,
        "payment_pages": running.a_session().id,
        "customers": saved,
        "products": client.products.list().data[0].id,
        "prices": client.prices.list().data[0].id,
        "payment_intents": direct.id,
        "setup_intents": client.setup_intents.create({"payment_method": "pm_card_visa"}).id,
        "charges": charge.id,
        "refunds": refund.id,
        "disputes": client.disputes.list().data[0].id,
        "events": client.events.list().data[0].id,
        "webhook_endpoints": client.webhook_endpoints.list().data[0].id,
        "balance_transactions": str(charge.balance_transaction),
        "payment_methods": client.customers.payment_methods.list(saved).data[0].id,
    }


def test_a_path_with_a_line_break_gets_stripes_error(stripe_: EmulatorServer) -> None:
    status, headers, body = stripe_.raw("POST", "/v1/disputes/%0A/close")

    assert (status, headers["Request-Id"][:4]) == (404, "req_")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
