"""Every parameter the SDK declares for every imitated call: taken and shown, or refused by a rule.

The walk is over `parameters.json`, which `test_declarations.py` holds against the SDK. A parameter
that is taken and silently forgotten fails here: what was sent must stand at the same place in the
answer, unless `ELSEWHERE` says where it went.
"""

import json
import urllib.parse
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from stripe_emulator.api.pipeline import FORM, ApiRequest, ApiResponse, RequestPipeline
from stripe_emulator.api.request_faults import ACCOUNT_ID
from stripe_emulator.api.routes import OPERATIONS
from stripe_emulator.base.config import Config
from stripe_emulator.emulator import Emulator
from stripe_emulator.parameters import parameters, undocumented, unsupported
from stripe_emulator.parameters.limits import _plain
from stripe_emulator.parameters.unsupported import REFUSED
from tests.emulator import json_checker
from tests.support.emulator import KEY

Form = dict[str, str]
SESSIONS = "POST /v1/checkout/sessions"
CALLS = sorted(OPERATIONS.keys() - undocumented.CALLS.keys())
SHOWN_VALUES = 6

ELSEWHERE = {
    "": {
        "expand": "tested by test_declarations.py",
    },
    SESSIONS: {
        "discounts": "one of the two is null",
        "line_items": "on the items, the Price and the Product, which lists show",
        "shipping_options": "on the ShippingRate",
        "payment_intent_data": "on the PaymentIntent, once there is one",
        "payment_method_data": "on the PaymentMethod, once there is one",
        "payment_method_options": "of methods that are offered; of others nothing is shown",
    },
    "POST /v1/customers": {
        "invoice_settings[default_payment_method]": "the id of what was attached",
        "payment_method": "attached; the list of its PaymentMethods shows it",
        "validate": "refused if true",
    },
    "POST /v1/customers/{id}": {"validate": "refused if true"},
    **{
        f"{path}{call}": {
            "amount_to_capture": "as what was received",
            "amount_to_confirm": "compared with the amount",
            "confirm": "as the status",
            "error_on_requires_action": "as an error where the buyer has to act",
            "final_capture": "each capture is the last",
            "mandate_data": "agreed to; there are no Mandates",
            "off_session": "as an error where the buyer has to act",
            "payment_method_data": "on the PaymentMethod",
            "payment_method_options": "of methods that are offered; of others nothing is shown",
            "return_url": "in next_action",
            "use_stripe_sdk": "in next_action",
        }
        for path in ("POST /v1/payment_intents", "POST /v1/setup_intents")
        for call in ("", "/{id}", "/{id}/capture", "/{id}/confirm")
    },
    "POST /v1/test_helpers/customers/{id}/fund_cash_balance": {
        "amount": "as the net amount",
        "reference": "of the bank transfer",
    },
    "POST /v1/coupons": {
        "applies_to": "shown where it is expanded",
        "currency_options": "same",
    },
    "POST /v1/coupons/{id}": {"currency_options": "shown where it is expanded"},
    "POST /v1/promotion_codes": {
        "restrictions[currency_options]": "shown where it is expanded",
    },
    "POST /v1/promotion_codes/{id}": {
        "restrictions[currency_options]": "shown where it is expanded",
    },
    "POST /v1/shipping_rates": {
        "fixed_amount[currency_options]": "shown where it is expanded",
    },
    "POST /v1/shipping_rates/{id}": {
        "fixed_amount[currency_options]": "shown where it is expanded",
    },
    "POST /v1/payment_methods": {
        "card": "brand and last four digits",
        "sepa_debit": "the last four digits",
        "us_bank_account": "the last four digits",
    },
    "POST /v1/products": {"default_price_data": "on the Price"},
    "POST /v1/prices": {
        "product_data": "on the Product",
        "transfer_lookup_key": "on the Price that had the key",
    },
    "POST /v1/prices/{id}": {"transfer_lookup_key": "on the Price that had the key"},
    "POST /v1/disputes/{id}": {"submit": "as the status"},
    "POST /v1/webhook_endpoints/{id}": {"disabled": "as the status"},
    "POST /v1/webhook_endpoints": {"connect": "refused if true"},
    "POST /v1/refunds": {"refund_application_fee": "refused if true", "reverse_transfer": "same"},
}
"""Parameters that do not come back at their own place in the answer, and why."""

LINE = {
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "2000",
    "line_items[0][price_data][product_data][name]": "Shirt",
    "line_items[0][quantity]": "2",
}
MINIMAL: dict[str, Form] = {
    SESSIONS: {"mode": "payment", "success_url": "http://127.0.0.1:1/", **LINE},
    "GET /v1/customers/search": {"query": "email:'ada@example.com'"},
    "POST /v1/customers": {},
    "POST /v1/coupons": {"percent_off": "10"},
    "POST /v1/promotion_codes": {"promotion[type]": "coupon", "promotion[coupon]": "<coupon>"},
    "POST /v1/shipping_rates": {
        "display_name": "Post",
        "fixed_amount[amount]": "500",
        "fixed_amount[currency]": "usd",
    },
    "POST /v1/payment_intents": {"amount": "2000", "currency": "usd"},
    "POST /v1/test_helpers/customers/{id}/fund_cash_balance": {"amount": "2000", "currency": "usd"},
    "POST /v1/payment_methods": {"type": "card", "card[token]": "tok_visa"},
    "POST /v1/payment_methods/{id}/attach": {"customer": "<customer>"},
    "POST /v1/setup_intents": {},
    "GET /v1/setup_attempts": {"setup_intent": "<setup>"},
    "POST /v1/products": {"name": "Shirt"},
    "POST /v1/prices": {"currency": "usd", "unit_amount": "2000", "product": "<product>"},
    "POST /v1/refunds": {"payment_intent": "<intent>", "amount": "1"},
    "POST /v1/webhook_endpoints": {"url": "http://127.0.0.1:9/", "enabled_events[0]": "*"},
}
"""The least each call needs, without which nothing else could be tried."""

INSTEAD = {
    "line_items[0][price]": "line_items[0][price_data]",
    "line_items[0][price_data][product]": "line_items[0][price_data][product_data]",
    "unit_amount_decimal": "unit_amount",
    "product_data": "product",
    "charge": "payment_intent",
    "card[number]": "card[token]",
    "card[cvc]": "card[token]",
    "card[exp_month]": "card[token]",
    "card[exp_year]": "card[token]",
    "amount_off": "percent_off",
    "shipping_options[0][shipping_rate]": "shipping_options[0][shipping_rate_data]",
    "sepa_debit": "card",
    "us_bank_account": "card",
}
"""Parameters that exclude each other, by how they end: given the first, the second is left out."""

CARD = {"[number]": "4242424242424242", "[exp_month]": "12", "[exp_year]": "2040"}
CONFIRMED = {
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "return_url": "http://127.0.0.1:9/x",
}
SEPA = {"type": "sepa_debit", "billing_details[name]": "A", "billing_details[email]": "a@b.c"}
BANK = {"type": "us_bank_account", "us_bank_account[account_number]": "000123456789"}
WITH_CONFIRM = (
    *("confirm", "error_on_requires_action", "mandate_data", "off_session"),
    *("return_url", "use_stripe_sdk"),
)
NEEDED: dict[str, Form] = {
    **dict.fromkeys(WITH_CONFIRM, CONFIRMED),
    **{
        f"card[{name}]": {f"card{field}": value for field, value in CARD.items()}
        for name in ("number", "cvc", "exp_month", "exp_year")
    },
    "sepa_debit": SEPA,
    "us_bank_account": BANK,
    "payment_method_data": {
        "payment_method_data[type]": "card",
        "payment_method_data[card][token]": "tok_visa",
    },
    "custom_fields[0][dropdown]": {
        "custom_fields[0][type]": "dropdown",
        "custom_fields[0][dropdown][options][0][value]": "value",
    },
    "custom_fields[0][numeric]": {"custom_fields[0][type]": "numeric"},
    "custom_fields[0][text]": {"custom_fields[0][type]": "text"},
    "default_price_data": {"default_price_data[unit_amount]": "5"},
    "invoice_settings[default_payment_method]": {"payment_method": "pm_card_visa"},
    "amount_off": {"currency": "usd"},
    "duration_in_months": {"duration": "repeating"},
    "restrictions[minimum_amount": {
        "restrictions[minimum_amount]": "100",
        "restrictions[minimum_amount_currency]": "usd",
    },
    "shipping_options[0][shipping_rate_data]": {
        "shipping_options[0][shipping_rate_data][fixed_amount][amount]": "500",
        "shipping_options[0][shipping_rate_data][fixed_amount][currency]": "usd",
    },
    "fixed_amount": {"fixed_amount[amount]": "500", "fixed_amount[currency]": "usd"},
    "tiers_mode": {"billing_scheme": "tiered"},
    "branding_settings[icon][type]": {"branding_settings[icon][url]": "http://127.0.0.1:9/x"},
    "branding_settings[logo][type]": {"branding_settings[logo][url]": "http://127.0.0.1:9/x"},
}
SAMPLES = {
    "expires_at": "<soon>",
    "currency": "usd",
    "customer": "<customer>",
    "coupon": "<coupon>",
    "promotion_code": "<code>",
    "shipping_rate": "<rate>",
    "redeem_by": "<soon>",
    "minimum_amount_currency": "usd",
    "products": "<product>",
    "code": "<new>",
    "customer_email": "ada@example.com",
    "email": "ada@example.com",
    "page": "0",
    "query": "email:'ada@example.com'",
    "key": "engraving",
    "value": "value",
    "default_value": "1",
    "default_price": "<price>",
    "price": "<price>",
    "product": "<product>",
    "payment_intent": "<intent>",
    "charge": "<charge>",
    "amount": "50",
    "amount_to_capture": "50",
    "amount_to_confirm": "2000",
    "number": "4242424242424242",
    "exp_month": "12",
    "exp_year": "2040",
    "token": "tok_visa",
    "iban": "AT611904300234573201",
    "account_number": "000123456789",
    "payment_method": "<method>",
    "default_payment_method": "<own method>",
    "receipt_email": "ada@example.com",
    "setup_intent": "<setup>",
    "starting_after": "<cursor>",
    "ending_before": "<cursor>",
    "url": "http://127.0.0.1:9/hook",
    "id": "<new>",
    "lookup_key": "<new>",
    "minimum_length": "1",
    "unit_amount": "2000",
    "unit_amount_decimal": "2000",
}
"""Values by the last name of a parameter, where not any text or number will do."""
EXACT = {
    "allowed_payment_method_types[0]": ["card"],  # the others are none that the page offers
    "branding_settings[icon][type]": ["url"],
    "custom_fields[0][dropdown][default_value]": ["value"],
    "custom_fields[0][type]": ["text", "numeric"],
    "branding_settings[logo][type]": ["url"],
    "confirm": ["true"],
    "duration": ["forever", "once"],
    "final_capture": ["true"],
    "payment_method_data[type]": ["card", "klarna"],
}


CODES = "POST /v1/promotion_codes"
SETUP_INTENTS = "POST /v1/setup_intents"
NO_REDIRECT = {
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
    "payment_method": "pm_card_visa",
}
FRESH: dict[str, tuple[str, Form]] = {
    "POST /v1/promotion_codes/{id}": ("POST /v1/promotion_codes", {"active": "false"}),
    "POST /v1/prices/{id}": ("POST /v1/prices", {}),
    "POST /v1/payment_intents/{id}": ("POST /v1/payment_intents", {}),
    "POST /v1/payment_intents/{id}/cancel": ("POST /v1/payment_intents", {}),
    "POST /v1/payment_intents/{id}/confirm": ("POST /v1/payment_intents", NO_REDIRECT),
    "POST /v1/payment_intents/{id}/capture": (
        "POST /v1/payment_intents",
        NO_REDIRECT | {"confirm": "true", "capture_method": "manual"},
    ),
    "POST /v1/payment_methods/{id}": ("POST /v1/payment_methods", {}),
    "POST /v1/payment_methods/{id}/attach": ("POST /v1/payment_methods", {}),
    "POST /v1/setup_intents/{id}": ("POST /v1/setup_intents", {}),
    "POST /v1/setup_intents/{id}/cancel": ("POST /v1/setup_intents", {}),
    "POST /v1/setup_intents/{id}/confirm": ("POST /v1/setup_intents", NO_REDIRECT),
}
"""Calls that change what they are about: each needs an object of its own, made so."""


class World:
    """One emulator without a server, and an object of each kind."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.pipeline = RequestPipeline(emulator.account)
        self.made = 0
        product = self._made("POST /v1/products", {"name": "Jeans"})
        price = self._made("POST /v1/prices", {"currency": "usd", "unit_amount": "4999"}, product)
        paid = self.pay(self._made(SESSIONS, MINIMAL[SESSIONS]))
        disputed = self.pay(self._made(SESSIONS, MINIMAL[SESSIONS]), "4000000000000259")
        emulator.move_clock(5)
        charge = emulator.list_objects("charge").items[-1]["id"]
        self.ids = {"product": product, "price": price, "intent": paid, "charge": charge}
        customer = self._made("POST /v1/customers", {"payment_method": "pm_card_visa"})
        funding = "POST /v1/test_helpers/customers/{id}/fund_cash_balance"
        self.ask(funding, MINIMAL[funding], customer)
        listed = self.ask("GET /v1/customers/{id}/payment_methods", {}, customer)
        setup = self._made("POST /v1/setup_intents", CONFIRMED | {"payment_method": "pm_card_visa"})
        coupon = self._made("POST /v1/coupons", {"percent_off": "10"})
        self.ids["coupon"] = coupon
        code = self._made("POST /v1/promotion_codes", self.filled(MINIMAL[CODES], CODES))
        rate = self._made("POST /v1/shipping_rates", MINIMAL["POST /v1/shipping_rates"])
        self.ids |= {
            "code": code,
            "rate": rate,
            "customer": customer,
            "own method": json.loads(listed.body)["data"][0]["id"],
            "setup": setup,
        }
        refund = self._made("POST /v1/refunds", {"payment_intent": paid, "amount": "1"})
        kinds = ("checkout.session", "event", "webhook_endpoint", "dispute", "payment_intent")
        endpoint = MINIMAL["POST /v1/webhook_endpoints"]
        self._made("POST /v1/webhook_endpoints", endpoint)
        newest = {kind: emulator.list_objects(kind, limit=1).items[0]["id"] for kind in kinds}  # type: ignore[arg-type]
        assert disputed
        attempts = self.ask("GET /v1/setup_attempts", {"setup_intent": setup})
        self.of_path = {
            "coupons": coupon,
            "promotion_codes": code,
            "shipping_rates": rate,
            "accounts": ACCOUNT_ID,
            "setup_intents": setup,
            "setup_attempts": json.loads(attempts.body)["data"][0]["id"],
            "checkout": newest["checkout.session"],
            "customers": customer,
            "test_helpers": customer,
            "products": product,
            "prices": price,
            "payment_intents": paid,
            "charges": charge,
            "refunds": refund,
            "disputes": newest["dispute"],
            "events": newest["event"],
            "webhook_endpoints": newest["webhook_endpoint"],
            "balance_transactions": (emulator.retrieve(charge) or {})["balance_transaction"],
            "payment_methods": (emulator.retrieve(charge) or {})["payment_method"],
        }

    def _made(self, call: str, form: Form, product: str = "") -> str:
        answer = self.ask(call, form | ({"product": product} if product else {}))
        assert answer.status == 200, answer.body
        return str(json.loads(answer.body)["id"])

    def pay(self, session: str, number: str = "4242424242424242") -> str:
        """Pay; returns the PaymentIntent."""
        result = self.emulator.checkout.pay_with_card(
            session, number=number, expiry="12/40", cvc="123", name="Ada", email="ada@example.com"
        )
        assert result.outcome == "succeeded", result
        return str((self.emulator.checkout.session(session) or {})["payment_intent"])

    def ask(self, call: str, form: Form, object_id: str = "") -> ApiResponse:
        """One request."""
        method, path = call.split(" ")
        text = urllib.parse.urlencode(form).encode()
        query, body = (b"", text) if method == "POST" else (text, b"")
        path = path.replace("{id}", object_id)
        return self.pipeline.handle(
            ApiRequest(method, path, query, body, FORM, f"Bearer {KEY}", None)
        )

    def target(self, call: str) -> str:
        """The object whose address the call has; an object to be deleted is a fresh one."""
        if "{id}" not in call:
            return ""
        kind = call.split("/")[2]
        if call.startswith("DELETE"):
            return self._made(f"POST /v1/{kind}", MINIMAL[f"POST /v1/{kind}"])
        if call in FRESH:
            path, changes = FRESH[call]
            return self._made(path, self.filled(MINIMAL[path] | changes, call))
        if call.endswith(("detach", "expire", "close")):
            return self._ended(call.rpartition("/")[2])
        return str(self.of_path[kind])

    def _ended(self, verb: str) -> str:
        """A fresh object that can be detached, expired or closed."""
        if verb == "detach":
            setup = self._made(SETUP_INTENTS, CONFIRMED | {"customer": self.ids["customer"]})
            return str((self.emulator.retrieve(setup) or {})["payment_method"])
        session = self._made(SESSIONS, MINIMAL[SESSIONS])
        if verb == "close":
            self.pay(session, "4000000000000259")
            self.emulator.move_clock(5)
            return str(self.emulator.list_objects("dispute", limit=1).items[0]["id"])
        return session

    def filled(self, form: Form, call: str) -> Form:
        """The form with ids of this world."""
        self.made += 1
        if "<method>" in form.values():
            path = "POST /v1/payment_methods"
            self.ids["method"] = self._made(path, MINIMAL[path])
        values = {
            **{f"<{name}>": object_id for name, object_id in self.ids.items()},
            "<soon>": str(int(self.emulator.now()) + 3600),
            "<new>": f"id-{self.made}",
        }
        if "<cursor>" in form.values():
            listed = self.of_path.get(call.split("/")[2], "")
            values["<cursor>"] = self._inside(call) if "{id}/" in call else listed
        return {name: values.get(value, value) for name, value in form.items()}

    def _inside(self, call: str) -> str:
        """An id of the list inside an object."""
        listed = self.ask(call, {}, self.target(call))
        return next((str(each["id"]) for each in json.loads(listed.body)["data"]), "of_none")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    emulator = Emulator(Config(redirect_wait_seconds=0))
    yield World(emulator)
    emulator.stop()


Leaf = tuple[str, Any, Form]
"""(path with indexes, its spec, the required neighbours on the way)"""


@cache
def leaves(call: str) -> list[Leaf]:
    """Every parameter of a call that has no parameters below it."""
    return list(_below(parameters.TABLE[call], "", {}))


def _below(spec: Any, path: str, beside: Form) -> Iterator[Leaf]:
    if isinstance(spec, str) or "enum" in spec:
        yield (f"{path}[k]" if spec == "map" else path), spec, beside
    elif "or_empty" in spec:
        yield from _below(spec["or_empty"], path, beside)
    elif "any" in spec:
        for choice in spec["any"]:
            yield from _below(choice, path, beside)
    elif "list" in spec:
        yield from _below(spec["list"], f"{path}[0]", beside)
    elif "map" in spec:
        yield from _below(spec["map"], f"{path}[usd]", beside)
    else:
        required = {
            name: value
            for field in spec.get("required", ())
            for name, value in _least(spec["fields"][field], _inside(path, field)).items()
        }
        for field, inner in spec["fields"].items():
            yield from _below(inner, _inside(path, field), beside | required)


def _inside(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _least(spec: Any, path: str) -> Form:
    """The least that fills a required parameter."""
    first = next(iter(_below(spec, path, {})))
    return {**first[2], first[0]: values_of(first[0], first[1])[0]}


def values_of(path: str, spec: Any) -> list[str]:
    """Values that are valid for a parameter, a few of each kind."""
    if path in EXACT:
        return EXACT[path]
    if not isinstance(spec, str):
        return [*spec["enum"][:SHOWN_VALUES]]
    name = path.replace("]", "").split("[")
    last = next(part for part in reversed(name) if not part.isdigit())
    sample = SAMPLES.get(last, "")
    if sample and (spec == "string" or sample.startswith("<") or sample.isdigit()):
        return [sample]
    if last.endswith(("_url", "images")):
        return ["http://127.0.0.1:9/x"]
    return {
        "boolean": ["false", "true"],
        "integer": ["5"],
        "decimal": ["12.5"],
        "map": ["v"],
        "string": ["text"],
    }[spec]


def form_of(call: str, leaf: Leaf, value: str) -> Form:
    """The least request that carries this parameter."""
    path, _, beside = leaf
    form = MINIMAL.get(call, {}) | beside
    known = {leaf[0] for leaf in leaves(call)}
    for start, needed in NEEDED.items():
        if path.startswith(start):
            form |= {name: value for name, value in needed.items() if name in known}
    form[path] = value
    if path == "invoice_settings[default_payment_method]" and "payment_method" in form:
        form[path] = form["payment_method"]
    for chosen, other in INSTEAD.items():
        if path == chosen or path.endswith(f"[{chosen}]") or path.startswith(f"{chosen}["):
            left_out = path.removesuffix(f"[{chosen}]") + f"[{other}]" if "[" in path else other
            left_out = other if "[" in other or path.startswith(chosen) else left_out
            form = {name: v for name, v in form.items() if not _is_within(name, left_out)}
    return form


def _is_within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}[")


def expected_refusal(call: str, form: Form) -> set[str]:
    """The messages with which the table refuses this request."""
    messages = set()
    for path, value in form.items():
        parts = path.split("[")
        for depth in range(1, len(parts) + 1):
            param = "[".join(parts[:depth])
            refusal = REFUSED.get(call, {}).get(_plain(param).removesuffix("[]"))
            asked_for = depth < len(parts) or value not in ("false", *refusal_accepts(refusal))
            if refusal and asked_for:
                messages.add(refusal.words.format(value=value, param=param))
    return messages


def refusal_accepts(refusal: unsupported.Refusal | None) -> tuple[str, ...]:
    return refusal.accepted if refusal else ()


@pytest.mark.parametrize("call", CALLS)
def test_every_declared_parameter_is_taken_and_shown_or_refused_by_the_table(
    world: World, call: str
) -> None:
    for leaf in leaves(call):
        for value in values_of(leaf[0], leaf[1]):
            form = world.filled(form_of(call, leaf, value), call)
            if leaf[0] == "expand[0]":
                continue
            refused = expected_refusal(call, form)
            answer = world.ask(call, form, world.target(call))
            thing = json.loads(answer.body)
            if refused:
                assert answer.status == 400, (form, thing)
                assert thing["error"]["message"] in refused, (form, thing)
                continue
            assert answer.status == 200, (form, thing)
            assert json_checker.faults({k: v for k, v in thing.items() if k != "secret"}) == [], (
                form
            )
            if call == "POST /v1/webhook_endpoints":  # there may be sixteen
                world.ask("DELETE /v1/webhook_endpoints/{id}", {}, thing["id"])
            if call.startswith("POST") and not is_elsewhere(call, leaf[0]):
                assert shown_at(thing, leaf[0]) == form[leaf[0]], (form, thing)


def is_elsewhere(call: str, path: str) -> bool:
    places = ELSEWHERE[""] | ELSEWHERE.get(call, {})
    return any(_is_within(path, place) for place in places)


def shown_at(thing: Any, path: str) -> str:
    """What an answer holds at a parameter's place, written as a form writes it."""
    for part in path.replace("]", "").split("["):
        thing = thing[int(part)] if part.isdigit() else thing[part]
    return str(thing).lower() if isinstance(thing, bool) else str(thing)


WRONG = {
    "integer": ("abc", "parameter_invalid_integer"),
    "boolean": ("maybe", None),
    "decimal": ("1,5", None),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_declared_parameter_is_refused_in_the_wrong_type(world: World, call: str) -> None:
    target = world.target(call)
    for path, spec, beside in leaves(call):
        kind = spec if isinstance(spec, str) else "enum"
        value, code = WRONG.get(kind, ("nonsense!", None))
        param = path.removesuffix("[k]") if kind == "map" else path
        sent = f"{path}[x]" if kind == "string" else param
        alone = {name: v for name, v in beside.items() if name != path}

        error = refused(world, call, alone | {sent: value}, target)

        either = path.endswith("[up_to]")  # `inf` or a number
        assert either or (error.get("code"), error["param"]) == (code, param), error


@pytest.mark.parametrize("call", CALLS)
def test_undeclared_parameters_are_refused_at_every_depth(world: World, call: str) -> None:
    target = world.target(call)
    objects = {path.rpartition("[")[0] for path, spec, _ in leaves(call) if spec != "map"}
    for path in {path for path in objects if not path.endswith("]") or path[-2].isalpha()} | {""}:
        where = _inside(path, "surprise")

        error = refused(world, call, {where: "1"}, target)

        listed = "Invalid array" in error["message"]
        assert listed or (error["code"], error["param"]) == ("parameter_unknown", where), error


def refused(world: World, call: str, form: Form, target: str) -> dict[str, Any]:
    """The error with which a request is answered."""
    answer = world.ask(call, form, target)
    assert answer.status == 400, (call, form, answer.body)
    error: dict[str, Any] = json.loads(answer.body)["error"]
    return error


@pytest.mark.parametrize("call", sorted(REFUSED))
def test_the_table_of_refusals_names_declared_parameters_only(call: str) -> None:
    declared = {_plain(path) for path, _, _ in leaves(call)}

    for path in REFUSED[call]:
        assert any(_is_within(leaf, path) for leaf in declared), path


def test_payment_parameters_of_a_session_are_on_its_payment(world: World) -> None:
    address = {"line1": "1 Main St", "city": "Berlin", "country": "DE"}
    given = {
        "payment_intent_data[description]": "Shirts",
        "payment_intent_data[metadata][order]": "7",
        "payment_intent_data[receipt_email]": "bob@example.com",
        "payment_intent_data[shipping][name]": "Bob",
        "payment_intent_data[shipping][carrier]": "Post",
        **{f"payment_intent_data[shipping][address][{k}]": v for k, v in address.items()},
        "payment_intent_data[statement_descriptor]": "SHOP",
        "payment_intent_data[statement_descriptor_suffix]": "SHIRTS",
        "payment_intent_data[transfer_group]": "group",
        "payment_method_data[allow_redisplay]": "always",
        "payment_method_options[card][request_three_d_secure]": "any",
    }
    session = json.loads(world.ask(SESSIONS, MINIMAL[SESSIONS] | given).body)["id"]

    intent = world.emulator.retrieve(world.pay(session)) or {}

    charge = world.emulator.retrieve(intent["latest_charge"]) or {}
    method = world.emulator.retrieve(intent["payment_method"]) or {}
    for path, value in given.items():
        if path.startswith("payment_intent_data"):
            place = path.removeprefix("payment_intent_data[").replace("]", "", 1)
            assert shown_at(intent, place) == shown_at(charge, place) == value
    assert intent["shipping"]["address"]["postal_code"] is None
    assert charge["shipping"] == intent["shipping"]
    assert charge["transfer_group"] == "group"
    assert method["allow_redisplay"] == "always"
    assert intent["payment_method_options"]["card"]["request_three_d_secure"] == "any"
    assert [json_checker.faults(thing) for thing in (intent, charge, method)] == [[], [], []]
