"""The emulator against the installed SDK's own declarations."""

import json
import re
from typing import Any

import pytest
import stripe

from stripe_emulator.api import expand, not_imitated, routes
from stripe_emulator.base import config
from stripe_emulator.parameters import limits, parameters, undocumented
from tests.emulator import json_checker, sdk_declarations
from tests.support.emulator import EmulatorServer, line

CARDS = (
    *("4242424242424242", "5555555555554444", "378282246310005", "4000000000000259"),
    *("4000000000002685", "4000000000001976", "4000000000007726", "4000000000005126"),
    "4000000000005423",
)
DECLINES = ("4000000000000002", "4000000000000069", "4000000000000127", "4000000000000119")
LISTS = (
    *("checkout/sessions", "payment_intents", "charges", "refunds", "disputes", "products"),
    *("prices", "events", "webhook_endpoints", "balance_transactions", "customers"),
    *("payment_methods", "setup_intents", "coupons", "promotion_codes", "shipping_rates"),
)


def test_it_speaks_the_version_of_the_installed_sdk() -> None:
    assert stripe.api_version == config.API_VERSION


def test_it_knows_exactly_the_parameters_the_sdk_declares() -> None:
    declared = sdk_declarations.declared_parameters()

    assert declared | undocumented.CALLS == parameters.TABLE
    assert json.loads(sdk_declarations.TABLE.read_text()) == sdk_declarations.written(declared)
    assert set(declared) == routes.OPERATIONS.keys() - undocumented.CALLS.keys()


def test_it_knows_every_call_that_the_sdk_can_make() -> None:
    assert json.loads(sdk_declarations.DECLARED.read_text()) == sdk_declarations.declared_calls()
    assert len(not_imitated.DECLARED) > 500


def test_every_event_it_can_send_is_one_the_sdk_knows() -> None:
    source = "".join(file.read_text() for file in sdk_declarations.TABLE.parents[1].rglob("*.py"))
    sent = set(
        re.findall(
            r'"((?:charge|checkout|payment_intent|customer|radar|refund|price|product)\.[a-z_.]+)"',
            source,
        )
    )
    declared = json_checker.declared("event").keys()["type"]
    known = {
        choice
        for member in sdk_declarations.members(declared)
        for choice in json_checker._literals(member)
    }

    assert sent - {"checkout.session", "radar.early_fraud_warning"} <= known


def everything(running: EmulatorServer) -> None:
    """Bring about every kind of object in every state it can have."""
    client, emulator = running.client, running.emulator
    for number in CARDS:
        running.a_payment(number)
    for number in DECLINES:
        running.pay(running.a_session().id, number)
    for passed, number in ((True, "4000002760003184"), (False, "4000002500003155")):
        asked = running.pay(running.a_session().id, number)
        emulator.checkout.answer_challenge(asked.challenge_id or "", passed)
    running.pay(running.a_session().id, "4000002760003184")
    for currency, succeeds in (("usd", True), ("usd", False), ("eur", True)):
        later = running.a_session(line_items=[line(5000, currency)])
        emulator.checkout.pay_later(later.id, outcome="succeeds", email="ada@example.com")
        emulator.settle_debit(str(running.intent_of(later.id).id), succeeds)
    waiting = running.a_session()
    emulator.checkout.pay_later(waiting.id, outcome="fails", email="ada@example.com")
    running.pay(running.a_session(line_items=[line(0)]).id)
    client.v1.checkout.sessions.expire(running.a_session().id)
    running.a_session(
        locale="de",
        submit_type="pay",
        client_reference_id="r",
        customer_email="ada@example.com",
        custom_text={"submit": {"message": "Thanks"}},
        branding_settings={"display_name": "Shop", "border_style": "pill"},
        adaptive_pricing={"enabled": True},
    )
    emulator.move_clock(5)
    for charge in client.v1.charges.list({"limit": 100}).data:
        if charge.status == "succeeded" and not charge.disputed:
            client.v1.refunds.create({"charge": charge.id, "amount": 100})
    emulator.move_clock(60)
    for index, dispute in enumerate(client.v1.disputes.list().data):
        emulator.close_dispute(dispute.id, won=index % 2 == 0)
    evidence = running.a_payment("4000000000000259")
    emulator.move_clock(60)
    (dispute, *_) = client.v1.disputes.list({"payment_intent": evidence.id}).data
    client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "proof"}})
    customer = client.v1.customers.create({"email": "ada@example.com"})
    client.v1.customers.update(customer.id, {"name": "Ada"})
    running.a_payment(customer=customer.id)
    client.v1.customers.delete(client.v1.customers.create().id)
    product = client.v1.products.create({"name": "Jeans", "images": ["http://x/y.png"]})
    price = client.v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 4999})
    client.v1.products.update(product.id, {"name": "Blue Jeans", "default_price": price.id})
    client.v1.prices.update(price.id, {"nickname": "n"})
    running.a_session(line_items=[{"price": price.id, "quantity": 1}])
    adjusted_totals(running)
    direct_payments(running)
    client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/x", "enabled_events": ["charge.captured"]}
    )


def adjusted_totals(running: EmulatorServer) -> None:
    """Sessions with a discount and with shipping, open and paid."""
    client = running.client.v1
    coupon = client.coupons.create({"amount_off": 100, "currency": "usd", "name": "c"}).id
    promotion: Any = {"promotion": {"type": "coupon", "coupon": coupon}}
    code = client.promotion_codes.create(promotion)
    rate: Any = {"display_name": "Post", "fixed_amount": {"amount": 500, "currency": "usd"}}
    for discount in ({"coupon": coupon}, {"promotion_code": code.id}):
        session = running.a_session(
            discounts=[discount], shipping_options=[{"shipping_rate_data": rate}]
        )
        running.pay(session.id)
    client.promotion_codes.update(code.id, {"active": False})
    client.coupons.update(coupon, {"name": "d"})
    client.coupons.delete(client.coupons.create({"percent_off": 12.5}).id)
    customer = client.customers.create().id
    client.promotion_codes.create(promotion | {"customer": customer})


def direct_payments(running: EmulatorServer) -> None:
    """The states of intents that were confirmed over the API."""
    client = running.client.v1
    customer = client.customers.create({"payment_method": "pm_card_visa"}).id
    create: Any = {"amount": 2000, "currency": "usd", "customer": customer}
    confirm: Any = create | {"confirm": True, "return_url": "http://x/y"}
    later = client.payment_intents.create(create | {"payment_details": {"order_reference": "1"}})
    client.payment_intents.cancel(later.id)
    for method in ("pm_card_visa_debit", "pm_card_authenticationRequired", "pm_usBankAccount"):
        client.payment_intents.create(confirm | {"payment_method": method})
    declined: Any = {"payment_method": "pm_card_chargeDeclined"}
    with pytest.raises(stripe.CardError):
        client.payment_intents.create(confirm | declined)
    with pytest.raises(stripe.CardError):
        client.setup_intents.create({"confirm": True, "return_url": "http://x/y"} | declined)
    held = [
        client.payment_intents.create(
            confirm | {"payment_method": "pm_card_visa", "capture_method": "manual"}
        ).id
        for _ in range(3)
    ]
    client.payment_intents.capture(held[0], {"amount_to_capture": 100})
    client.payment_intents.cancel(held[1])
    for method in ("pm_card_visa", "pm_card_authenticationRequired"):
        setup: Any = {"customer": customer, "payment_method": method, "confirm": True}
        client.setup_intents.create(setup | {"return_url": "http://x/y"})
    client.setup_intents.cancel(client.setup_intents.create().id)


def test_every_object_list_and_event_is_as_the_sdk_declares_it(stripe_: EmulatorServer) -> None:
    everything(stripe_)
    seen: set[str] = set()

    for path in LISTS:
        for thing in walk(stripe_, path):
            seen.add(thing["object"])
            assert json_checker.faults(thing) == [], thing
            if thing["object"] == "event":
                seen.add(thing["type"])
                assert ("previous_attributes" in thing["data"]) == thing["type"].endswith(
                    ".updated"
                )

    for kind, id_path in (
        ("balance_transaction", "balance_transactions"),
        ("payment_method", "payment_methods"),
    ):
        for object_id in ids_of(stripe_, kind):
            assert json_checker.faults(fetch(stripe_, f"/v1/{id_path}/{object_id}")) == []
    assert json_checker.faults(fetch(stripe_, "/v1/balance")) == []
    assert json_checker.faults(fetch(stripe_, "/v1/account")) == []
    assert len(seen) > 25


def test_every_expansion_is_as_the_sdk_declares_it(stripe_: EmulatorServer) -> None:
    everything(stripe_)

    for kind, path in (
        ("checkout.session", "checkout/sessions"),
        ("charge", "charges"),
        ("payment_intent", "payment_intents"),
        ("refund", "refunds"),
        ("dispute", "disputes"),
        ("payment_method", "payment_methods"),
        ("setup_intent", "setup_intents"),
        ("coupon", "coupons"),
        ("promotion_code", "promotion_codes"),
        ("shipping_rate", "shipping_rates"),
        ("price", "prices"),
        ("product", "products"),
    ):
        fields = [*expand.EXPANDABLE.get(kind, {}), *expand.INCLUDABLE.get(kind, {})]
        query = "&".join(f"expand[]=data.{field}" for field in fields)
        page = fetch(stripe_, f"/v1/{path}?limit=100&{query}")
        assert json_checker.faults(page) == []
        for field in set(fields) - {"tiers", "applies_to"}:  # nothing here has any
            held = [value for thing in page["data"] for value in values_at(thing, field)]
            assert any(isinstance(value, dict) for value in held), (kind, field)


def values_at(thing: Any, field: str) -> list[Any]:
    """What stands at a path, in each element of a list on the way."""
    if isinstance(thing, list):
        return [value for element in thing for value in values_at(element, field)]
    step, _, rest = field.partition(".")
    inner = (thing or {}).get(step)
    return values_at(inner, rest) if rest else [inner]


@pytest.mark.parametrize("kind", sorted({*expand.EXPANDABLE, *expand.ALWAYS_NULL}))
def test_exactly_the_fields_that_are_declared_expandable_can_be_expanded(kind: str) -> None:
    taken = {*expand.EXPANDABLE.get(kind, {}), *expand.ALWAYS_NULL.get(kind, ())}

    assert taken == json_checker.expandable(kind)


def test_the_json_checker_finds_faults(stripe_: EmulatorServer) -> None:
    stripe_.a_session()
    (session,) = walk(stripe_, "checkout/sessions")

    assert json_checker.faults(session | {"surprise": 1}) == [
        "checkout.session.surprise: not declared"
    ]
    assert json_checker.faults(session | {"status": "done"})
    assert json_checker.faults(session | {"livemode": None}) == ["checkout.session.livemode: null"]
    assert json_checker.faults(session | {"created": "now"})
    session.pop("mode")
    assert json_checker.faults(session) == ["checkout.session.mode: missing"]


def test_the_limits_name_parameters_that_exist() -> None:
    text = json.dumps(parameters.TABLE)

    for path in [
        *limits.CHARACTERS,
        *limits.ITEMS,
        *limits.NUMBERS,
    ]:
        assert f'"{re.findall(r"[a-z_]+", path)[-1]}"' in text


def walk(running: EmulatorServer, path: str) -> list[dict[str, Any]]:
    """Every object of a list, through all of its pages, as JSON."""
    things: list[dict[str, Any]] = []
    after = ""
    while True:
        page = fetch(running, f"/v1/{path}?limit=50{after}")
        assert json_checker.faults(page) == []
        things += page["data"]
        if not page["has_more"]:
            return things
        after = f"&starting_after={things[-1]['id']}"


def fetch(running: EmulatorServer, path: str) -> dict[str, Any]:
    """One answer as JSON."""
    status, _, body = running.raw("GET", path)
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer


def ids_of(running: EmulatorServer, kind: str) -> list[str]:
    """The ids of a kind that has no list of its own."""
    with running.emulator.account.reading() as tx:
        rows = tx.connection.execute("SELECT id FROM objects WHERE kind = ?", (kind,)).fetchall()
    assert rows
    return [row["id"] for row in rows]


@pytest.mark.parametrize("kind", ["checkout.session", "payment_intent", "charge"])
def test_an_object_shows_every_key_real_ones_show(stripe_: EmulatorServer, kind: str) -> None:
    """Keys that are always there, null or not, so that a missing attribute never surprises."""
    stripe_.a_payment()
    always = {
        "checkout.session": {"payment_intent", "customer_details", "url", "status", "amount_total"},
        "payment_intent": {"latest_charge", "last_payment_error", "payment_method", "next_action"},
        "charge": {"balance_transaction", "failure_code", "receipt_url", "outcome", "refunded"},
    }
    path = {"checkout.session": "checkout/sessions"}.get(kind, f"{kind}s")

    (thing,) = walk(stripe_, path)

    assert always[kind] <= set(thing)
